package apply

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// What a plan prints shows that a credential changes, and not to what, whatever
// object holds it.
func TestCredentialsInObjectsAreMasked(t *testing.T) {
	text := func(password string) string {
		return readable(&unstructured.Unstructured{Object: map[string]any{
			"kind": "Deployment",
			"spec": map[string]any{"replicas": int64(2), "env": []any{
				map[string]any{"name": "DB_PASSWORD", "value": password},
				map[string]any{"name": "URL", "value": "redis://u:" + password + "@redis"},
				map[string]any{"name": "LEVEL", "value": "info"},
			}},
		}}) + readable(&unstructured.Unstructured{Object: map[string]any{
			"kind": "Secret", "data": map[string]any{"x": password},
		}})
	}
	before, after := text("hunter2"), text("hunter3")
	if strings.Contains(before, "hunter") || strings.Count(before, "(hidden, digest ") != 3 {
		t.Errorf("shown:\n%s", before)
	}
	if !strings.Contains(before, "value: info") || !strings.Contains(before, "replicas: 2") {
		t.Errorf("too much is hidden:\n%s", before)
	}
	if before == after {
		t.Error("a change does not show")
	}
}

// The server's answer for a kind that has gone is another than that for an object.
func TestAKindThatHasGoneIsToldFromAnObject(t *testing.T) {
	things := schema.GroupResource{Group: "example.com", Resource: "things"}
	gone := apierrors.NewGenericServerResponse(http.StatusNotFound, "patch", things, "first", "404 page not found", 0, true)
	if !kindHasGone(fmt.Errorf("try out: %w", gone)) {
		t.Error("a kind that has gone is not recognized")
	}
	if kindHasGone(apierrors.NewNotFound(things, "first")) || kindHasGone(errors.New("other")) {
		t.Error("an object that is not there is taken for a kind that has gone")
	}
}

// Only pods that a controller replaces by itself are counted.
func TestRestarts(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		want                int
	}{
		{"same template", "{kind: Deployment, spec: {replicas: 3, template: {a: 1}}}", "{kind: Deployment, spec: {replicas: 5, template: {a: 1}}}", 0},
		{"another template", "{kind: Deployment, spec: {replicas: 3, template: {a: 1}}}", "{kind: Deployment, spec: {replicas: 3, template: {a: 2}}}", 3},
		{"paused", "{kind: Deployment, spec: {replicas: 3, template: {a: 1}}}", "{kind: Deployment, spec: {paused: true, replicas: 3, template: {a: 2}}}", 0},
		{"on every node", "{kind: DaemonSet, status: {desiredNumberScheduled: 4}, spec: {template: {a: 1}}}", "{kind: DaemonSet, spec: {template: {a: 2}}}", 4},
		{"only when deleted", "{kind: StatefulSet, spec: {replicas: 2, template: {a: 1}}}", "{kind: StatefulSet, spec: {replicas: 2, updateStrategy: {type: OnDelete}, template: {a: 2}}}", 0},
		{"no workload", "{kind: ConfigMap}", "{kind: ConfigMap}", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := restarts(object(t, test.before), object(t, test.after)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte("{apiVersion: v1, " + text[1:]))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u
}
