package apply

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
