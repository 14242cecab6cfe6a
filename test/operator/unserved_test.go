package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	rooms "github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestCheckpointsThatNobodyTakesSaySo in a condition and an event.
func TestCheckpointsThatNobodyTakesSaySo(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	checkpoint := parse[v1alpha1.DynamoCheckpoint](t, ns, "{metadata: {name: c}, spec: {identity: {model: m, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}}")
	create(t, checkpoint)
	const want = "this operator takes no checkpoints: its configuration does not turn them on"
	cluster.Eventually(t, "a condition", func() error {
		get(t, ns, "c", checkpoint)
		ready := meta.FindStatusCondition(checkpoint.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != "Unsupported" || !strings.Contains(ready.Message, want) {
			return fmt.Errorf("conditions %+v", checkpoint.Status.Conditions)
		}
		return nil
	})
	warned(t, checkpoint, "Unsupported", want)
}

// TestAGraphThatNoOperatorServesIsListed by wheelhouse status, in whatever namespace
// it is.
func TestAGraphThatNoOperatorServesIsListed(t *testing.T) {
	ns, fleets := namespace(t), namespace(t)
	chatGraph(t, ns)
	connection, err := session.New(shared.Config)
	if err != nil {
		t.Fatal(err)
	}
	seen := rooms.New(connection)
	t.Cleanup(seen.Close)
	cluster.Eventually(t, "the graph is listed", func() error {
		graphs, err := seen.GraphsAndUnserved(context.Background(), []string{fleets})
		if err != nil {
			return err
		}
		for _, g := range graphs {
			if g.Namespace == ns && g.Message == "no operator has looked at it: see that one serves namespace "+ns {
				return nil
			}
		}
		return fmt.Errorf("%+v", graphs)
	})
	graphs, err := seen.Graphs(context.Background(), []string{fleets})
	if err != nil || len(graphs) > 0 {
		t.Errorf("%+v, %v: graphs of other namespaces are nobody's to delete", graphs, err)
	}
}
