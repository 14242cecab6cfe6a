package apply

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// What admission adds or replaces is told from what somebody changed.
func TestByAdmission(t *testing.T) {
	const owned = `{"f:spec":{"f:replicas":{},"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:name":{},"f:pull":{}}}}}`
	const wanted = "{kind: A, spec: {replicas: 2, containers: [{name: a, pull: IfNotPresent}]}}"
	for _, test := range []struct {
		name, live, after string
		want              []string
	}{
		{"a label is added", "{kind: A, spec: {replicas: 2, containers: [{name: a, pull: IfNotPresent}]}}",
			"{kind: A, metadata: {labels: {x: y}}, spec: {replicas: 2, containers: [{name: a, pull: IfNotPresent}]}}", []string{"metadata.labels"}},
		{"a field of ours is replaced", "{kind: A, spec: {replicas: 2, containers: [{name: a, pull: IfNotPresent}]}}",
			"{kind: A, spec: {replicas: 2, containers: [{name: a, pull: Always}]}}", []string{"spec.containers[0].pull"}},
		{"somebody scaled", "{kind: A, spec: {replicas: 3, containers: [{name: a, pull: IfNotPresent}]}}", wanted, nil},
		{"somebody scaled, and a label is added", "{kind: A, spec: {replicas: 3, containers: [{name: a, pull: IfNotPresent}]}}",
			"{kind: A, metadata: {labels: {x: y}}, spec: {replicas: 2, containers: [{name: a, pull: IfNotPresent}]}}", nil},
		{"somebody deleted a field", "{kind: A, spec: {containers: [{name: a, pull: IfNotPresent}]}}", wanted, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			live, after := object(t, test.live), object(t, test.after)
			entry := metav1.ManagedFieldsEntry{Manager: marks.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(owned)}
			live.SetManagedFields([]metav1.ManagedFieldsEntry{entry})
			after.SetManagedFields([]metav1.ManagedFieldsEntry{entry})
			got := byAdmission(live, object(t, wanted), after)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
