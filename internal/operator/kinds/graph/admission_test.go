package graph

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Who changes what Grove cannot change is told at once, and not only by the status.
func TestAChangeThatGroveDoesNotTakeIsWarnedOf(t *testing.T) {
	const two = "{a: {}, b: {}}"
	for name, tc := range map[string]struct {
		runs, after, annotation string
		warned                  bool
	}{
		"an image":                     {render.PathGrove, "{a: {}, b: {extraPodSpec: {mainContainer: {image: x}}}}", "", false},
		"replicas":                     {render.PathGrove, "{a: {}, b: {replicas: 3}}", "", false},
		"a service more":               {render.PathGrove, "{a: {}, b: {}, c: {}}", "", true},
		"more nodes":                   {render.PathGrove, "{a: {}, b: {multinode: {nodeCount: 2}}}", "", true},
		"a service more, and no Grove": {render.PathDeployment, "{a: {}, b: {}, c: {}}", "", false},
		"it leaves Grove":              {render.PathGrove, "{a: {}}", "false", false},
	} {
		graph := func(services string) *v1alpha1.DynamoGraphDeployment {
			dgd := &v1alpha1.DynamoGraphDeployment{}
			if err := yaml.UnmarshalStrict([]byte("metadata: {name: g}\nspec: {services: "+services+"}"), dgd); err != nil {
				t.Fatal(err)
			}
			statusOf(dgd).note(v1alpha1.ConditionPathwayChosen, metav1.ConditionTrue, tc.runs, "")
			return dgd
		}
		updated := graph(tc.after)
		if tc.annotation != "" {
			updated.Annotations = map[string]string{v1alpha1.AnnotationEnableGrove: tc.annotation}
		}
		said := strings.Join(warn(lifecycle.Writing{
			Old: graph(two), Object: updated, Config: config.Default(), Cluster: render.Capabilities{Grove: true, LeaderWorkerSets: true},
		}), "; ")
		if strings.Contains(said, "the change will not be carried out: Grove lets nobody change") != tc.warned {
			t.Errorf("%s: %q, want a warning: %v", name, said, tc.warned)
		}
	}
}

// TestAChangeOfWorkersThroughGroveIsToldOf: Grove holds no two generations beside each
// other, which matters where several workers serve a request together.
func TestAChangeOfWorkersThroughGroveIsToldOf(t *testing.T) {
	graph := func(runs, image string, replicas int) *v1alpha1.DynamoGraphDeployment {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		text := fmt.Sprintf(`
metadata: {name: g}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "r:1"}}}
    decode: {componentType: worker, replicas: %d, extraPodSpec: {mainContainer: {image: %s, command: [python3, -m, dynamo.vllm]}}}
    prefill: {componentType: prefill, extraPodSpec: {mainContainer: {image: "r:1", command: [python3, -m, dynamo.vllm]}}}
`, replicas, image)
		if err := yaml.UnmarshalStrict([]byte(text), dgd); err != nil {
			t.Fatal(err)
		}
		statusOf(dgd).note(v1alpha1.ConditionPathwayChosen, metav1.ConditionTrue, runs, "")
		return dgd
	}
	for name, tc := range map[string]struct {
		runs     string
		image    string
		replicas int
		warned   bool
	}{
		"another image":             {render.PathGrove, "r:2", 1, true},
		"more replicas":             {render.PathGrove, "r:1", 2, false},
		"as components, which stay": {render.PathDeployment, "r:2", 1, false},
		"a graph that is as it was": {render.PathGrove, "r:1", 1, false},
	} {
		said := strings.Join(warn(lifecycle.Writing{
			Old: graph(tc.runs, "r:1", 1), Object: graph(tc.runs, tc.image, tc.replicas),
			Config: config.Default(), Cluster: render.Capabilities{Grove: true, LeaderWorkerSets: true},
		}), "; ")
		if strings.Contains(said, "do not stay until those of this one serve") != tc.warned {
			t.Errorf("%s: %q, want a warning: %v", name, said, tc.warned)
		}
	}
}
