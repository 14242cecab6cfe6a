package main

import (
	"regexp"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// outcome is what became of a graph.
type outcome string

const (
	ready outcome = "Ready"
	// stopped is by the cluster: any of this size would stop the graph.
	stopped outcome = "Stopped"
	// unsupported is by the operator: it does not do what the graph asks for.
	unsupported outcome = "Unsupported"
	waiting     outcome = "Waiting"
)

// accepted outcomes are no defect. Anything else that keeps a graph from being
// Ready is one.
func (o outcome) accepted() bool { return o == ready || o == stopped || o == unsupported }

// realLimits are the reasons for which no cluster of this size would run a graph.
var realLimits = regexp.MustCompile(`Insufficient |didn't match|cannot allocate all claims|resourceclaim .* not found|InvalidImageName`)

// operatorLimits are the reasons by which the operator says that it cannot.
var operatorLimits = map[string]bool{"Unsupported": true, v1alpha1.ReasonMultinodeNotAvailable: true, v1alpha1.ReasonInferencePoolNotAvailable: true}

// judge says what became of a graph from its status alone, and why.
func judge(graph *v1alpha1.DynamoGraphDeployment) (outcome, string) {
	condition := meta.FindStatusCondition(graph.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil || graph.Status.ObservedGeneration != graph.Generation:
		return waiting, "the operator has not reported on it"
	case condition.Status == metav1.ConditionTrue:
		return ready, ""
	case operatorLimits[condition.Reason]:
		return unsupported, condition.Message
	case realLimits.MatchString(condition.Message):
		return stopped, condition.Message
	default:
		return waiting, condition.Message
	}
}

// judgeRequest says what became of a request: its graph is Ready, or shown where
// that is all that is asked for.
func judgeRequest(request *v1alpha1.DynamoGraphDeploymentRequest) (outcome, string) {
	if request.Status.State == v1alpha1.RequestStateReady {
		return ready, ""
	}
	reason := "the operator has not reported on it"
	for _, condition := range request.Status.Conditions {
		if condition.Status != metav1.ConditionTrue {
			reason = condition.Message
		}
	}
	if realLimits.MatchString(reason) {
		return stopped, reason
	}
	return waiting, reason
}
