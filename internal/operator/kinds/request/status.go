package request

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Reasons of refusals, which are those of the warnings. Conditions have the same
// but for a Job that failed.
const (
	reasonJobCreationFailed        = "JobCreationFailed"
	reasonProfilingJobFailed       = "ProfilingJobFailed"
	reasonGenerationFailed         = "GenerationFailed"
	reasonConfigMapCreationFailed  = "ConfigMapCreationFailed"
	reasonDeploymentCreationFailed = "DeploymentCreationFailed"
)

// failure is where a refusal shows. One without a state is looked at again.
type failure struct {
	condition, reason string
	state             v1alpha1.RequestState
}

var failures = map[string]failure{
	v1alpha1.ReasonValidationFailed: {v1alpha1.ConditionValidation, v1alpha1.ReasonValidationFailed, v1alpha1.RequestStateFailed},
	reasonJobCreationFailed:         {v1alpha1.ConditionProfiling, reasonJobCreationFailed, v1alpha1.RequestStateFailed},
	reasonProfilingJobFailed:        {v1alpha1.ConditionProfiling, "ProfilingFailed", v1alpha1.RequestStateFailed},
	reasonGenerationFailed:          {v1alpha1.ConditionSpecGenerated, reasonGenerationFailed, v1alpha1.RequestStateFailed},
	reasonConfigMapCreationFailed:   {v1alpha1.ConditionSpecGenerated, reasonConfigMapCreationFailed, ""},
	reasonDeploymentCreationFailed:  {v1alpha1.ConditionDeploymentReady, reasonDeploymentCreationFailed, ""},
}

// stages are the conditions that tell of what is tried again, by state.
var stages = map[v1alpha1.RequestState]string{
	"":                             v1alpha1.ConditionValidation,
	v1alpha1.RequestStatePending:   v1alpha1.ConditionProfiling,
	v1alpha1.RequestStateProfiling: v1alpha1.ConditionSpecGenerated,
	v1alpha1.RequestStateDeploying: v1alpha1.ConditionDeploymentReady,
}

// started: from the first try to profile on, unless there was no Job to be had,
// the request is carried out as it was then.
func started(r *v1alpha1.DynamoGraphDeploymentRequest) bool {
	profiling := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionProfiling)
	return profiling != nil && profiling.Reason != reasonJobCreationFailed && profiling.Reason != reasonTriedAgain
}

// reasonTriedAgain is that of a condition that an error keeps from becoming true.
const reasonTriedAgain = "ReconcileError"

// Conditions implements lifecycle.Life.
func (l *life) Conditions() []metav1.Condition { return l.request.Status.Conditions }

// Failed implements lifecycle.Life.
func (l *life) Failed(reason, message string) {
	status := &l.request.Status
	f, known := failures[reason]
	if !known {
		f = failure{condition: stages[status.State], reason: reasonTriedAgain}
	}
	status.State = cmp.Or(f.state, status.State)
	if f.condition != "" {
		l.note(f.condition, false, f.reason, message)
	}
}

// note sets a condition, and reports whether its status or reason is another than
// before.
func (l *life) note(condition string, is bool, reason, message string) (turned bool) {
	conditions := &l.request.Status.Conditions
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	before := meta.FindStatusCondition(*conditions, condition)
	turned = before == nil || before.Status != status || before.Reason != reason
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: l.request.Generation,
	})
	return turned
}

// tell is a normal event, warn one that somebody should look at.
func (l *life) tell(reason, message string) { l.event(corev1.EventTypeNormal, reason, message) }

func (l *life) warn(reason, message string) { l.event(corev1.EventTypeWarning, reason, message) }

func (l *life) event(kind, reason, message string) {
	l.Apply.Tell(l.request, kind, reason, "Reconcile", message)
}

// latest is the reason of the condition that turned last.
func latest(conditions []metav1.Condition) string {
	reason, turned := "", metav1.Time{}
	for _, c := range conditions {
		if !c.LastTransitionTime.Before(&turned) {
			reason, turned = c.Reason, c.LastTransitionTime
		}
	}
	return reason
}
