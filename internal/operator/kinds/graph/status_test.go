package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// A restart that an error interrupts goes on where it was.
func TestAFailureSaysNothingAboutTheRestart(t *testing.T) {
	dgd := &v1alpha1.DynamoGraphDeployment{}
	dgd.Status.Restart = &v1alpha1.RestartStatus{ObservedID: "2", Phase: v1alpha1.RestartPhaseCompleted}
	dgd.Status.Services = map[string]v1alpha1.ServiceReplicaStatus{"S": {Replicas: 1}}
	before := dgd.Status.DeepCopy()
	statusOf(dgd).Failed("", "no answer")
	if dgd.Status.State != v1alpha1.GraphStateFailed {
		t.Errorf("state %q, want failed", dgd.Status.State)
	}
	if diff := cmp.Diff([]any{before.Restart, before.Services}, []any{dgd.Status.Restart, dgd.Status.Services}); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}
