package conversion

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

func TestWhoWroteASpecLast(t *testing.T) {
	const alpha, beta = "nvidia.com/v1alpha1", "nvidia.com/v1beta1"
	entry := func(manager, version string, second int, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, APIVersion: version, Time: &metav1.Time{Time: time.Unix(int64(second), 0)}, FieldsV1: metav1.NewFieldsV1(fields),
		}
	}
	spec, labels := `{"f:spec":{"f:replicas":{}}}`, `{"f:metadata":{"f:labels":{"f:spec":{}}}}`
	status := entry("d", beta, 9, spec)
	status.Subresource = "status"
	for name, c := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody":             {nil, ""},
		"one":                {[]metav1.ManagedFieldsEntry{entry("a", beta, 1, spec)}, beta},
		"the later":          {[]metav1.ManagedFieldsEntry{entry("a", beta, 2, spec), entry("b", alpha, 1, spec)}, beta},
		"at the same time":   {[]metav1.ManagedFieldsEntry{entry("a", alpha, 1, spec), entry("b", beta, 1, spec)}, beta},
		"but the operator":   {[]metav1.ManagedFieldsEntry{entry("a", beta, 1, spec), entry("operator", alpha, 2, spec)}, beta},
		"the operator alone": {[]metav1.ManagedFieldsEntry{entry("operator", alpha, 2, spec)}, ""},
		"labels":             {[]metav1.ManagedFieldsEntry{entry("a", beta, 1, spec), entry("b", alpha, 2, labels)}, beta},
		"a status":           {[]metav1.ManagedFieldsEntry{entry("a", alpha, 1, spec), status}, alpha},
		"damaged":            {[]metav1.ManagedFieldsEntry{entry("a", beta, 1, "{"), {Manager: "b", APIVersion: beta}}, ""},
	} {
		got := ""
		if author := Author(c.entries, "operator"); author != nil {
			got = author.APIVersion
			if again := Author([]metav1.ManagedFieldsEntry{*author}, "operator"); again == nil || again.APIVersion != got {
				t.Errorf("%s: what is kept of the author is no author", name)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSentencesForAuthors(t *testing.T) {
	graph := &v1alpha1.DynamoGraphDeployment{}
	graph.Spec.Services = map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{"decode": {}}
	const said = "service decode, not service other: spec.services[decode].extraPodSpec.mainContainer.image: Required value, see spec.envs[0]"
	if got := ForAuthor(said, graph, "operator"); got != said {
		t.Errorf("to the author of v1alpha1: %s", got)
	}
	graph.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", APIVersion: "nvidia.com/v1beta1", FieldsV1: specWritten}}
	const want = "component decode, not service other: spec.components[name=decode].podTemplate.spec.containers[name=main].image: Required value, see spec.env[0]"
	if got := ForAuthor(said, graph, "operator"); got != want {
		t.Errorf("to that of v1beta1: %s", got)
	}
}
