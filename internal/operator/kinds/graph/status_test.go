package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
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

func TestAGraphWithoutReplicasSaysThatNothingServes(t *testing.T) {
	for replicas, want := range map[int32]string{
		0: "All resources are ready, and no service has replicas: nothing serves",
		2: "All resources are ready",
	} {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		dgd.Spec.Services = map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{"A": {Replicas: new(int32)}, "B": {Replicas: &replicas}}
		statusOf(dgd).services(map[string]pathway.Service{"A": {Ready: true}, "B": {Ready: true}})
		ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue || ready.Message != want {
			t.Errorf("%d replicas: %+v, want True and %q", replicas, ready, want)
		}
	}
}
