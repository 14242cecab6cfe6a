package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// A CRD that goes back to one version keeps who converted, but claims no authority.
func TestACRDOfOneVersionKeepsItsWebhook(t *testing.T) {
	const live = "spec: {conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {caBundle: Zm9v, service: {namespace: a, name: b}}}}}"
	for name, test := range map[string]struct{ wanted, live, want string }{
		"it asks for none":  {"spec: {group: g}", live, "spec: {group: g, conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {service: {namespace: a, name: b}}}}}"},
		"it asks for one":   {"spec: {conversion: {strategy: None}}", live, "spec: {conversion: {strategy: None}}"},
		"there was no hook": {"spec: {group: g}", "spec: {conversion: {strategy: None}}", "spec: {group: g}"},
	} {
		wanted := parsed(t, test.wanted)
		kept := keepConversion(wanted, parsed(t, test.live))
		if diff := cmp.Diff(parsed(t, test.want).Object, wanted.Object); diff != "" || kept != (test.want != test.wanted) {
			t.Errorf("%s: %t\n%s", name, kept, diff)
		}
	}
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// A new CRD whose converter is trusted only later has until then the version alone in
// which objects are stored.
func TestANewCRDWithholdsWhatNobodyConverts(t *testing.T) {
	const (
		head  = "{kind: CustomResourceDefinition, metadata: {annotations: {wheelhouse.dev/webhook-certificate: s}}, spec: {"
		both  = "versions: [{name: v1alpha1, storage: true, served: true}, {name: v1beta1, storage: false, served: true}]"
		asked = "conversion: {strategy: Webhook}, "
	)
	for name, test := range map[string]struct {
		wanted string
		want   bool
	}{
		"ours":               {head + asked + both + "}}", true},
		"it converts itself": {head + "conversion: {strategy: None}, " + both + "}}", false},
		"others certify it":  {"{kind: CustomResourceDefinition, spec: {" + asked + both + "}}", false},
	} {
		if got := Withholds(parsed(t, test.wanted)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	crd := parsed(t, head+asked+both+"}}")
	want := parsed(t, head+asked+"versions: [{name: v1alpha1, storage: true, served: true}, {name: v1beta1, storage: false, served: false}]}}")
	if diff := cmp.Diff(want.Object, Withheld(crd).Object); diff != "" {
		t.Error(diff)
	}
}
