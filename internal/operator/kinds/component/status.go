package component

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// reasonUnsupported: the component needs what the operator or the cluster has not got.
const reasonUnsupported = "Unsupported"

// status is that of a component, for the generation that is being looked at.
type status struct {
	dcd *v1alpha1.DynamoComponentDeployment
}

func statusOf(dcd *v1alpha1.DynamoComponentDeployment) *status {
	dcd.Status.ObservedGeneration = dcd.Generation
	return &status{dcd: dcd}
}

// Conditions implements lifecycle.Life.
func (s *status) Conditions() []metav1.Condition { return s.dcd.Status.Conditions }

// Failed implements lifecycle.Life.
func (s *status) Failed(reason, message string) {
	switch reason {
	case "":
		reason = v1alpha1.ReasonReconciling
	case v1alpha1.ReasonValidationFailed:
		s.set(v1alpha1.ConditionValid, metav1.ConditionFalse, reason, message)
	}
	s.notAvailable(reason, v1alpha1.ReasonComponentBlocked, message)
}

func (s *status) valid() {
	s.set(v1alpha1.ConditionValid, metav1.ConditionTrue, v1alpha1.ReasonValidationPassed, "The spec is valid")
}

func (s *status) available(message string) {
	s.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonDeploymentReady, message)
	s.set(v1alpha1.ConditionDynamoComponentReady, metav1.ConditionTrue, v1alpha1.ReasonComponentReady, message)
}

// notAvailable gives two reasons: that of the workload, and whether somebody has
// to act.
func (s *status) notAvailable(workload, component, message string) {
	s.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, workload, message)
	s.set(v1alpha1.ConditionDynamoComponentReady, metav1.ConditionFalse, component, message)
}

// set keeps the time of the last transition unless the status changes.
func (s *status) set(condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.dcd.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message,
		ObservedGeneration: s.dcd.Generation,
	})
}

// workload reports on what runs the component.
func (s *status) workload(seen workload.Observation) {
	s.dcd.Status.PodSelector = seen.Selector
	s.dcd.Status.Service = &seen.Status
	switch {
	case seen.Ready:
		s.available(seen.Message)
	case seen.Blocked:
		s.notAvailable(v1alpha1.ReasonDeploymentNotReady, v1alpha1.ReasonComponentBlocked, seen.Message)
	default:
		s.notAvailable(v1alpha1.ReasonDeploymentNotReady, v1alpha1.ReasonComponentNotReady, seen.Message)
	}
}
