package fleet

import "testing"

func TestFieldRef(t *testing.T) {
	for _, test := range []struct {
		text, kind, namespace, name, path string
		covers                            bool
	}{
		{"Deployment/a/web:.spec.replicas", "Deployment", "a", "web", ".spec.replicas", true},
		{"Deployment/a/web:.spec.replicas", "Deployment", "b", "web", ".spec.replicas", false},
		{"Deployment/*/web:.spec.replicas", "Deployment", "b", "web", ".spec.replicas", true},
		{"Deployment/*/*:.spec.replicas", "Deployment", "b", "other", ".spec.replicas", true},
		{"Deployment/*/*:.spec.replicas", "StatefulSet", "b", "other", ".spec.replicas", false},
		{"Secret/a/s:.data", "Secret", "a", "s", ".data.tls.crt", true},
		{"Secret/a/s:.data", "Secret", "a", "s", ".dataset", false},
		{"Deployment/a/web:.spec.template.spec.containers", "Deployment", "a", "web", `.spec.template.spec.containers[name="main"].image`, true},
		{"ClusterRole/system:x:.rules", "ClusterRole", "", "system:x", ".rules", true},
		{"ClusterRole/x:.rules", "ClusterRole", "a", "x", ".rules", false},
	} {
		ref, err := ParseFieldRef(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if ref.String() != test.text {
			t.Errorf("%s is written back as %s", test.text, ref)
		}
		if got := ref.Selects(test.kind, test.namespace, test.name) && ref.Covers(test.path); got != test.covers {
			t.Errorf("%s covers %s %s/%s %s: %v", test.text, test.kind, test.namespace, test.name, test.path, got)
		}
	}
	for _, text := range []string{"", ".spec.replicas", "Deployment:.spec", "deployment/a/web:.spec", "Deployment/a/web", "Deployment/a/web:spec", "a/b/c/d:.x"} {
		if ref, err := ParseFieldRef(text); err == nil {
			t.Errorf("%q was read as %+v", text, ref)
		}
	}
}
