package component

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// reasonUnsupported: the component needs what the operator or the cluster has not got.
const reasonUnsupported = "Unsupported"

// componentStatus writes the conditions of a component, all for the generation
// that is being reconciled.
type componentStatus struct {
	dcd *v1alpha1.DynamoComponentDeployment
}

func statusOf(dcd *v1alpha1.DynamoComponentDeployment) *componentStatus {
	dcd.Status.ObservedGeneration = dcd.Generation
	return &componentStatus{dcd: dcd}
}

func (s *componentStatus) invalid(message string) {
	s.set(v1alpha1.ConditionValid, metav1.ConditionFalse, v1alpha1.ReasonValidationFailed, message)
	s.notAvailable(v1alpha1.ReasonValidationFailed, message)
}

func (s *componentStatus) valid() {
	s.set(v1alpha1.ConditionValid, metav1.ConditionTrue, v1alpha1.ReasonValidationPassed, "The spec is valid")
}

func (s *componentStatus) available(message string) {
	s.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonDeploymentReady, message)
	s.set(v1alpha1.ConditionDynamoComponentReady, metav1.ConditionTrue, v1alpha1.ReasonComponentReady, message)
}

func (s *componentStatus) notAvailable(reason, message string) {
	s.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, reason, message)
	s.set(v1alpha1.ConditionDynamoComponentReady, metav1.ConditionFalse, v1alpha1.ReasonComponentNotReady, message)
}

// set keeps the time of the last transition unless the status changes.
func (s *componentStatus) set(condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.dcd.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message,
		ObservedGeneration: s.dcd.Generation,
	})
}

func (s *componentStatus) workload(d *appsv1.Deployment) {
	s.dcd.Status.PodSelector = d.Spec.Selector.MatchLabels
	s.dcd.Status.Service = &v1alpha1.ServiceReplicaStatus{
		ComponentKind:     v1alpha1.ComponentKindDeployment,
		ComponentName:     d.Name,
		Replicas:          d.Status.Replicas,
		UpdatedReplicas:   d.Status.UpdatedReplicas,
		ReadyReplicas:     &d.Status.ReadyReplicas,
		AvailableReplicas: &d.Status.AvailableReplicas,
	}
}
