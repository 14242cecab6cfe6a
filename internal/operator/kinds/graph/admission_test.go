package graph

import (
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
