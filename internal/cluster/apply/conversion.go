package apply

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Withholds reports whether a CRD, when it is new, serves at first only the version in
// which objects are stored: who converts the others can be trusted once it is there.
func Withholds(wanted *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(wanted.Object, "spec", "conversion", "strategy")
	return wanted.GetKind() == "CustomResourceDefinition" && strategy == "Webhook" && wanted.GetAnnotations()[marks.Certificate] != ""
}

// Withheld is a CRD that serves that version alone.
func Withheld(wanted *unstructured.Unstructured) *unstructured.Unstructured {
	wanted = wanted.DeepCopy()
	versions, _, _ := unstructured.NestedSlice(wanted.Object, "spec", "versions")
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok && version["storage"] != true {
			version["served"] = false
		}
	}
	_ = unstructured.SetNestedSlice(wanted.Object, versions, "spec", "versions") // it was read from there
	return wanted
}

// keepConversion has a CRD that no longer asks for a webhook keep the one that it has, and
// reports whether that changed anything. Its authority belongs to who looks after the certificate,
// and half of a webhook is invalid; with one version left, nobody calls it.
func keepConversion(wanted, live *unstructured.Unstructured) bool {
	if _, asks, _ := unstructured.NestedFieldNoCopy(wanted.Object, "spec", "conversion"); asks {
		return false
	}
	conversion, has, err := unstructured.NestedMap(live.Object, "spec", "conversion")
	if err != nil || !has || conversion["strategy"] != "Webhook" {
		return false
	}
	unstructured.RemoveNestedField(conversion, "webhook", "clientConfig", "caBundle")
	return unstructured.SetNestedMap(wanted.Object, conversion, "spec", "conversion") == nil
}
