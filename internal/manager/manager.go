// Package manager is what the manager does for its user, a verb each: plan,
// apply, status, history, rollback, destroy. It owns the connection, and the
// order in which a verb looks, decides, asks for rights, writes the journal and
// acts. Flags, streams and exit codes are not known here.
package manager

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/ledger"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/release"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Manager does what is asked of one fleet on one cluster.
type Manager struct {
	// Say tells a person what goes on beside the steps of a plan; nil: nobody
	// listens.
	Say func(message string)

	rollout.Identity
	// desired is nil where the fleet file cannot be read as a whole.
	desired *rollout.Desired
	cluster *cluster.Cluster
	store   *release.Store
	ledger  *ledger.Ledger
}

// Open connects to the cluster that kubectl's flags name. Desired is nil where the
// fleet file cannot be read as a whole: then Plan is impossible, and the other
// verbs make do with the identity. Log receives what the Helm SDK logs. Close
// ends it.
func Open(ctx context.Context, kube *genericclioptions.ConfigFlags, id rollout.Identity, desired *rollout.Desired, log slog.Handler) (*Manager, error) {
	c, err := cluster.Connect(ctx, kube)
	if err != nil {
		return nil, err
	}
	store := release.NewStore(c.Session, c, log)
	store.Namespaces, store.Fields.Leave, store.History = id.Namespaces(), id.Fleet.LeaveFields, id.Fleet.History
	m := &Manager{Identity: id, desired: desired, cluster: c, store: store}
	m.ledger = c.Ledger(id.Journal(), id.Set.Name, holder())
	if own := id.Fleet.Confined(); own != nil {
		c.Confine(own)
	} else {
		m.ledger.Formerly(id.Fleet.CRDs.Namespace.Value)
	}
	store.Set, store.Journal = id.Set, m.ledger
	c.Tell(m.say)
	return m, nil
}

// Close ends the connection.
func (m *Manager) Close() { m.cluster.Close() }

// Cluster names the cluster: its address.
func (m *Manager) Cluster() string { return m.cluster.Describe() }

// Capabilities is what the cluster offers to templates.
func (m *Manager) Capabilities(ctx context.Context) (*chart.Capabilities, error) {
	return m.cluster.Capabilities(ctx)
}

// Live reads an object of a release as it is in the cluster; nil if it does not
// exist.
func (m *Manager) Live(ctx context.Context, object chart.Object, key fleet.Key) (map[string]any, error) {
	return m.cluster.Live(ctx, object, key)
}

// Status compares the cluster with the fleet, without any write. Whoever may not read
// all that the fleet wants is told what the records say. Detailed also has which images
// run and what is stored.
func (m *Manager) Status(ctx context.Context, detailed bool) (*rollout.Status, error) {
	status, err := m.status(ctx)
	if err != nil || !detailed {
		return status, err
	}
	return status, status.Detail(ctx, m.Identity, m.cluster)
}

func (m *Manager) status(ctx context.Context) (*rollout.Status, error) {
	status, err := rollout.ReadStatus(ctx, m.Identity, m.desired, m.store, m.cluster)
	if !apierrors.IsForbidden(err) || m.desired == nil {
		return status, err
	}
	status, failed := rollout.ReadStatus(ctx, m.Identity, nil, m.store, m.cluster)
	if failed != nil {
		return nil, err
	}
	status.FileUnread, status.Unread = false, err.Error()
	return status, nil
}

// History lists the revisions of the set, oldest first.
func (m *Manager) History(ctx context.Context) ([]rollout.Revision, error) {
	return m.ledger.Revisions(ctx)
}

// Charts counts the releases of the fleet by chart, as NAME-VERSION.
func (m *Manager) Charts(ctx context.Context) (map[string]int, error) {
	records, err := m.store.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, record := range records {
		if record.Fleet == m.Set.Name && record.Chart != "" {
			out[record.Chart]++
		}
	}
	return out, nil
}

func (m *Manager) say(message string) {
	if m.Say != nil {
		m.Say(message)
	}
}

// holder names this client to others: who, where, which process.
func holder() string {
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s@%s (process %d)", who, host, os.Getpid())
}
