package cluster

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
