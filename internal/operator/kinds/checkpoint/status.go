package checkpoint

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

const (
	reasonUnsupported = "Unsupported"
	// reasonFailed is that of the warning and of the condition Ready.
	reasonFailed = "CheckpointFailed"
)

// Conditions implements lifecycle.Life.
func (l *life) Conditions() []metav1.Condition { return l.checkpoint.Status.Conditions }

// Failed implements lifecycle.Life. A checkpoint that is stored stays so, whatever
// is wrong with what it was made of.
func (l *life) Failed(reason, message string) {
	switch phase := l.checkpoint.Status.Phase; {
	case phase == v1alpha1.CheckpointPhaseReady:
	case reason == reasonFailed || reason == v1alpha1.ReasonValidationFailed:
		l.become(v1alpha1.CheckpointPhaseFailed, reason, message)
	case reason == "":
		l.become(phase, "ReconcileError", message)
	default:
		l.become(phase, reason, message)
	}
}

// become says how the checkpoint does; Ready is True in the phase of that name alone.
func (l *life) become(phase v1alpha1.CheckpointPhase, reason, message string) {
	l.checkpoint.Status.Phase, l.checkpoint.Status.Message = phase, plain.Text(message, lifecycle.LongestMessage)
	l.note(v1alpha1.ConditionReady, phase == v1alpha1.CheckpointPhaseReady, reason, message)
}

func (l *life) note(condition string, is bool, reason, message string) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&l.checkpoint.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: l.checkpoint.Generation,
	})
}

func (l *life) event(kind, reason, message string) {
	l.Apply.Tell(l.checkpoint, kind, reason, "Reconcile", message)
}
