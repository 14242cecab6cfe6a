package request

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const good = `
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: g}
spec: {services: {Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: x}}}}}
`

const goodInBeta = `
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: g}
spec: {components: [{name: Frontend, type: frontend, podTemplate: {spec: {containers: [{name: main, image: x}]}}}]}
`

// TestResultsOfProfilersAreNotTrusted: what they hold is bounded, and looked at as
// if a user had written it.
func TestResultsOfProfilersAreNotTrusted(t *testing.T) {
	configMap := "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for name, tc := range map[string]struct{ text, want string }{
		"a graph":                {good, ""},
		"and a ConfigMap":        {good + configMap, ""},
		"comments":               {"# licence\n---\n" + good, ""},
		"nothing":                {"", "there is no DynamoGraphDeployment"},
		"no YAML":                {"{", "document 1"},
		"two graphs":             {good + "---" + good, "it is a second DynamoGraphDeployment"},
		"another kind":           {good + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", "document 2: it is a Secret of v1"},
		"the other version":      {goodInBeta, ""},
		"with the first's words": {strings.Replace(good, "v1alpha1", "v1beta1", 1), `unknown field "services"`},
		"another version":        {strings.Replace(good, "v1alpha1", "v1", 1), "it is a DynamoGraphDeployment of nvidia.com/v1"},
		"an unknown field":       {strings.Replace(good, "componentType", "componentKind", 1), "componentKind"},
		"too large":              {good + "# " + strings.Repeat("x", longestResult), "KiB is the most"},
		"too many documents":     {good + strings.Repeat(configMap, mostDocuments), "more than 20 documents"},
		"a bomb":                 {bomb(), "document 1"},
		"a graph that is wrong":  {strings.Replace(good, "image: x", "image: ''", 1), "spec.services[Frontend].extraPodSpec.mainContainer.image: Required value"},
		"a name that is wrong":   {strings.Replace(good, "name: g", "name: G_", 1), "metadata.name"},
		"a label that is wrong":  {strings.Replace(good, "name: g", "name: g, labels: {a: 'b c'}", 1), "metadata.labels"},
		"an account of ours":     {strings.Replace(good, "extraPodSpec: {", "extraPodSpec: {serviceAccountName: dgdr-profiling-job, ", 1), "is for profiling Jobs"},
		"a ConfigMap of no name": {good + "---\napiVersion: v1\nkind: ConfigMap\n", "ConfigMap.metadata.name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &v1alpha1.DynamoGraphDeploymentRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "r"}}
			found, err := resultOf(map[string]string{render.ProfilingResult: tc.text}, r, &r.Spec, config.Default())
			if tc.want == "" {
				if err != nil || found.graph.Namespace != "team" || found.graph.Labels[v1alpha1.LabelRequestName] != "r" {
					t.Errorf("%+v, %v", found, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// bomb is small, and large when it is read.
func bomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return text.String()
}

func TestTheRequestSaysWhichResultAndWhatItIsCalled(t *testing.T) {
	r := &v1alpha1.DynamoGraphDeploymentRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "r"}}
	r.Spec.UseMocker = true
	r.Spec.DeploymentOverrides = &v1alpha1.DeploymentOverrides{
		Name: "mine", Namespace: "other", Labels: map[string]string{"a": "b", v1alpha1.LabelRequestName: "forged"}, Annotations: map[string]string{"c": "d"},
	}
	if _, err := resultOf(map[string]string{render.ProfilingResult: good}, r, &r.Spec, config.Default()); err == nil || !strings.Contains(err.Error(), "has left no mocker_config_with_planner.yaml, but config_with_planner.yaml") {
		t.Error(err)
	}
	found, err := resultOf(map[string]string{render.ProfilingMockerResult: good}, r, &r.Spec, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	meta := found.graph.ObjectMeta
	if meta.Name != "mine" || meta.Namespace != "other" || meta.Labels["a"] != "b" || meta.Labels[v1alpha1.LabelRequestName] != "r" || meta.Annotations["c"] != "d" {
		t.Errorf("%+v", meta)
	}
}

func TestHardwareIsWhatNodesHaveInCommon(t *testing.T) {
	node := func(gpus, model, memory string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{labelGPUModel: model, labelGPUMemory: memory}}}
		if gpus != "" {
			n.Status.Allocatable = corev1.ResourceList{resourceGPU: resource.MustParse(gpus)}
		}
		return n
	}
	for name, tc := range map[string]struct {
		nodes []corev1.Node
		want  render.Hardware
	}{
		"none":         {nil, render.Hardware{}},
		"without GPUs": {[]corev1.Node{node("", "", ""), node("0", "H200", "1")}, render.Hardware{}},
		"alike":        {[]corev1.Node{node("", "", ""), node("8", "H200", "100"), node("8", "H200", "100")}, render.Hardware{GPUsPerNode: 8, Model: "H200", MemoryMiB: 100}},
		"different":    {[]corev1.Node{node("8", "H200", "100"), node("4", "L40", "40")}, render.Hardware{GPUsPerNode: 4, MemoryMiB: 40}},
		"unlabelled":   {[]corev1.Node{node("2", "", "much")}, render.Hardware{GPUsPerNode: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hardwareOf(tc.nodes); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
