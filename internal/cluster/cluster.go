// Package cluster puts together what the manager asks of a cluster besides Helm:
// one connection, and a room for each kind of question.
package cluster

import (
	"context"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/certificate"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/crds"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/ledger"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/objects"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/rights"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/survey"
)

// Cluster answers everything that a rollout asks of a cluster. It is safe for
// concurrent use.
type Cluster struct {
	*session.Session
	*await.Waiter
	*objects.Objects
	apply.Previewer
	certificate.Keeper
	crds.Definitions
	rights.Reviewer
	survey.Surveyor
}

// Connect reads kubectl's configuration and makes sure that the cluster answers.
// Close ends it.
func Connect(ctx context.Context, flags *genericclioptions.ConfigFlags) (*Cluster, error) {
	s, err := session.Connect(ctx, flags)
	if err != nil {
		return nil, err
	}
	return New(s), nil
}

// New makes a Cluster of a connection.
func New(s *session.Session) *Cluster {
	wait := await.New(s)
	return &Cluster{
		Session: s, Waiter: wait, Objects: objects.New(s, wait), Previewer: apply.New(s), Keeper: certificate.New(s),
		Definitions: crds.New(s, wait), Reviewer: rights.New(s), Surveyor: survey.New(s),
	}
}

// Ledger opens the ledger of a fleet. The holder names this client to others.
func (c *Cluster) Ledger(namespace, fleet, holder string) *ledger.Ledger {
	return ledger.New(c.Session, c.CreateNamespace, namespace, fleet, holder)
}
