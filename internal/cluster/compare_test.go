package cluster

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

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
