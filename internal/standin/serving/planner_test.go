package serving

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanOf(t *testing.T) {
	for name, tc := range map[string]struct {
		text, graph string
		want        *plan
		fails       bool
	}{
		"none":       {"", "chat", nil, false},
		"a service":  {"Worker=3", "chat", &plan{adapter: "chat-worker", namespace: "team-a", replicas: 3}, false},
		"no number":  {"Worker", "chat", nil, true},
		"no service": {"=3", "chat", nil, true},
		"no graph":   {"Worker=3", "", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"STANDIN_PLAN": tc.text, "DYN_PARENT_DGD_K8S_NAME": tc.graph, "DYN_PARENT_DGD_K8S_NAMESPACE": "team-a"}
			got, err := planOf(func(name string) string { return env[name] })
			if (err != nil) != tc.fails {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
