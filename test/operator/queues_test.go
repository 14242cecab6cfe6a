package operator

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestQueuesAreCreatedAndThenLeftAlone also has the scheduler's API arrive
// after the operator.
func TestQueuesAreCreatedAndThenLeftAlone(t *testing.T) {
	ns := namespace(t)
	withQueues := func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Orchestrators.KAIScheduler = config.KAIScheduler{Enabled: true, CreateQueues: true}
	}
	first := start(t, withQueues)
	installDefinition(t, "../thirdparty/charts/kai-scheduler/crds/queues.yaml")

	parent, child := liveQueue(t, queues.Parent), liveQueue(t, queues.Default)
	all := map[string]any{"quota": int64(-1), "limit": int64(-1), "overQuotaWeight": int64(1)}
	resources := map[string]any{"cpu": all, "gpu": all, "memory": all}
	if diff := cmp.Diff(map[string]any{"resources": resources}, parent.Object["spec"]); diff != "" {
		t.Errorf("%s (-want +got):\n%s", queues.Parent, diff)
	}
	if diff := cmp.Diff(map[string]any{"resources": resources, "parentQueue": queues.Parent}, child.Object["spec"]); diff != "" {
		t.Errorf("%s (-want +got):\n%s", queues.Default, diff)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	// Somebody gives the parent a quota and removes the child.
	change(t, parent, func(queue *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(queue.Object, int64(8), "spec", "resources", "gpu", "quota"); err != nil {
			t.Fatal(err)
		}
	})
	if err := adminClient(t).Delete(context.Background(), child); err != nil {
		t.Fatal(err)
	}
	second := start(t, withQueues)
	liveQueue(t, queues.Default)
	if again := liveQueue(t, queues.Parent); again.GetResourceVersion() != parent.GetResourceVersion() {
		t.Errorf("the changed queue was written again: %v", again.Object["spec"])
	}
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	liveQueue(t, queues.Default)
}

// TestAnOperatorWithoutTheRightAsksForNoQueue: the harness fails the test if
// the operator asks for what it may not do.
func TestAnOperatorWithoutTheRightAsksForNoQueue(t *testing.T) {
	ns := namespace(t)
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Orchestrators.KAIScheduler.Enabled = true
	})
	chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")
}

func liveQueue(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	queue := &unstructured.Unstructured{}
	queue.SetGroupVersionKind(queues.GroupVersion.WithKind("Queue"))
	get(t, "", name, queue)
	return queue
}

// installDefinition creates a CRD from a file, for this test.
func installDefinition(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := adminClient(t)
	crd, err := cluster.InstallDefinition(c, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.Background(), crd); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
}
