package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	rooms "github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestKindsThatNothingIsDoneForSaySo in a condition and an event, and let go of
// what another operator held.
func TestKindsThatNothingIsDoneForSaySo(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, "{metadata: {name: r, finalizers: [nvidia.com/finalizer]}, spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: {a: b}}}}")
	checkpoint := parse[v1alpha1.DynamoCheckpoint](t, ns, "{metadata: {name: c}, spec: {identity: {model: m, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}}")
	for kind, tc := range map[string]struct {
		object     client.Object
		conditions *[]metav1.Condition
	}{
		v1alpha1.KindGraphDeploymentRequest: {request, &request.Status.Conditions},
		v1alpha1.KindCheckpoint:             {checkpoint, &checkpoint.Status.Conditions},
	} {
		t.Run(kind, func(t *testing.T) {
			create(t, tc.object)
			want := "this version of the operator does nothing for a " + kind
			cluster.Eventually(t, "a condition", func() error {
				get(t, ns, tc.object.GetName(), tc.object)
				ready := meta.FindStatusCondition(*tc.conditions, v1alpha1.ConditionReady)
				if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != "Unsupported" || !strings.Contains(ready.Message, want) {
					return fmt.Errorf("conditions %+v", *tc.conditions)
				}
				return nil
			})
			warned(t, tc.object, "Unsupported", want)
			if err := adminClient(t).Delete(context.Background(), tc.object); err != nil {
				t.Fatal(err)
			}
			gone(t, ns, tc.object.GetName(), tc.object)
		})
	}
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
