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
	ready   outcome = "Ready"
	stopped outcome = "Stopped" // for a reason that a real cluster of this size has too
	waiting outcome = "Waiting"
)

// realLimits are the reasons for which a real cluster of this size would not
// run a graph either. Anything else that keeps a graph from being Ready is a
// defect.
var realLimits = regexp.MustCompile(`Insufficient |didn't match|multinode needs|needs the Gateway API inference extension`)

// judge says what became of a graph from its status alone, and why.
func judge(graph *v1alpha1.DynamoGraphDeployment) (outcome, string) {
	condition := meta.FindStatusCondition(graph.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil || graph.Status.ObservedGeneration != graph.Generation:
		return waiting, "the operator has not reported on it"
	case condition.Status == metav1.ConditionTrue:
		return ready, ""
	case realLimits.MatchString(condition.Message):
		return stopped, condition.Message
	default:
		return waiting, condition.Message
	}
}
