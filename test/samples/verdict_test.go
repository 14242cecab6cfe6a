package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// A request is done when its graph is.
func TestJudgeRequest(t *testing.T) {
	request := &v1alpha1.DynamoGraphDeploymentRequest{}
	request.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionDeploymentReady, Status: metav1.ConditionFalse, Message: "Graph g is not ready"}}
	if got, reason := judgeRequest(request); got != waiting || reason != "Graph g is not ready" {
		t.Errorf("%s, %q", got, reason)
	}
	request.Status.State = v1alpha1.RequestStateReady
	if got, _ := judgeRequest(request); got != ready {
		t.Errorf("ready: %s", got)
	}
}

// A limit of the operator is never taken for one of the cluster, nor a program
// that fails for either.
func TestJudge(t *testing.T) {
	multinode := &v1alpha1.DynamoComponentDeploymentSharedSpec{Multinode: &v1alpha1.MultinodeSpec{NodeCount: 2}}
	for name, test := range map[string]struct {
		status          metav1.ConditionStatus
		reason, message string
		want            outcome
	}{
		"ready":               {metav1.ConditionTrue, v1alpha1.ReasonAllResourcesReady, "All resources are ready", ready},
		"several nodes":       {metav1.ConditionFalse, v1alpha1.ReasonMultinodeNotAvailable, render.CheckService("W", multinode, render.Capabilities{}).Error(), unsupported},
		"an endpoint picker":  {metav1.ConditionFalse, v1alpha1.ReasonInferencePoolNotAvailable, render.CheckService("E", &v1alpha1.DynamoComponentDeploymentSharedSpec{ComponentType: v1alpha1.ComponentTypeEPP}, render.Capabilities{}).Error(), unsupported},
		"too few GPUs":        {metav1.ConditionFalse, v1alpha1.ReasonSomeResourcesNotReady, "W: 0/1 ready: pod w: Unschedulable: 1 Insufficient nvidia.com/gpu.", stopped},
		"no such node":        {metav1.ConditionFalse, v1alpha1.ReasonSomeResourcesNotReady, "W: pod w: Unschedulable: 1 node(s) didn't match Pod's node affinity/selector.", stopped},
		"a program that ends": {metav1.ConditionFalse, v1alpha1.ReasonSomeResourcesNotReady, "W: 0/1 ready: pod w: CrashLoopBackOff: failed to connect to NATS", waiting},
	} {
		graph := &v1alpha1.DynamoGraphDeployment{}
		graph.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: test.status, Reason: test.reason, Message: test.message}}
		got, reason := judge(graph)
		if got != test.want || got != ready && reason != test.message {
			t.Errorf("%s: %s, %q", name, got, reason)
		}
		if got.accepted() == (got == waiting) {
			t.Errorf("%s: accepted %t", name, got.accepted())
		}
	}
}
