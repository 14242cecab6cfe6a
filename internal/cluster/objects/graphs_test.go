package objects

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func TestWhatAGraphSaysOfItself(t *testing.T) {
	for _, test := range []struct {
		name, metadata, status string
		want                   rollout.Graph
	}{
		{"nothing yet", "", "{}", rollout.Graph{Reason: "NoStatus", Message: "no operator has looked at it: see that one serves namespace a"}},
		{"ready", ", generation: 2", "{state: successful, conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}", rollout.Graph{Ready: true, State: "successful"}},
		{"not ready", "", "{conditions: [{type: Ready, status: 'False', reason: Waiting, message: no pods}]}", rollout.Graph{Reason: "Waiting", Message: "no pods"}},
		{"of an older generation", ", generation: 3", "{conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}", rollout.Graph{Reason: "Stale", Message: "the operator has not seen the latest change yet"}},
		{"on its way out", ", deletionTimestamp: '2026-01-01T00:00:00Z'", "{conditions: [{type: Ready, status: 'True'}]}", rollout.Graph{Reason: "Deleting"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := yaml.YAMLToJSON([]byte("{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, metadata: {namespace: a, name: g" + test.metadata + "}, status: " + test.status + "}"))
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{}
			if err := u.UnmarshalJSON(data); err != nil {
				t.Fatal(err)
			}
			test.want.Namespace, test.want.Name = "a", "g"
			if diff := cmp.Diff(test.want, graphOf(u)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
