// Package queues gives the KAI scheduler the queues that graphs are put into
// when they name none.
package queues

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Parent and Default are the queues: graphs go into Default.
const (
	Parent  = "dynamo-default"
	Default = "dynamo"
)

// GroupVersion is the API of queues.
var GroupVersion = schema.GroupVersion{Group: "scheduling.run.ai", Version: "v2"}

// Names lists the queues, parents first.
func Names() []string { return []string{Parent, Default} }

// Creator creates the queues that are absent when it starts and does nothing
// else: a queue's quotas are its cluster's business, and who deletes one has
// his reasons until the operator starts again.
type Creator struct {
	Client client.Client
	// Live reads without a cache, which would need the right to list.
	Live client.Reader
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *Creator) NeedLeaderElection() bool { return true }

// Start tries until all queues exist or ctx ends. The scheduler's API, or its
// admission webhook, may come up after the operator.
func (c *Creator) Start(ctx context.Context) error {
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Steps: 7, Cap: time.Minute}
	logger, said := log.FromContext(ctx), ""
	for {
		err := c.createAbsent(ctx)
		if err == nil {
			return nil
		}
		if err.Error() != said {
			said = err.Error()
			logger.Error(err, "cannot create the queues of the KAI scheduler yet")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff.Step()):
		}
	}
}

func (c *Creator) createAbsent(ctx context.Context) error {
	parent := ""
	for _, name := range Names() {
		wanted := queue(name, parent)
		err := c.Live.Get(ctx, client.ObjectKeyFromObject(wanted), wanted.DeepCopy())
		if apierrors.IsNotFound(err) {
			err = c.create(ctx, wanted)
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		parent = name
	}
	return nil
}

func (c *Creator) create(ctx context.Context, wanted *unstructured.Unstructured) error {
	err := c.Client.Create(ctx, wanted)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		log.FromContext(ctx).Info("created a queue of the KAI scheduler", "queue", wanted.GetName())
	}
	return err
}

// queue has no quota of its own and no limit: it takes part in what is free.
func queue(name, parent string) *unstructured.Unstructured {
	unlimited := func() map[string]any {
		return map[string]any{"quota": int64(-1), "limit": int64(-1), "overQuotaWeight": int64(1)}
	}
	spec := map[string]any{"resources": map[string]any{"cpu": unlimited(), "gpu": unlimited(), "memory": unlimited()}}
	if parent != "" {
		spec["parentQueue"] = parent
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(GroupVersion.WithKind("Queue"))
	object.SetName(name)
	object.SetLabels(map[string]string{render.ManagedByLabel: render.Manager})
	return object
}
