// Package unserved answers for the kinds of our API that this version of the
// operator does nothing for: whoever makes such an object is told.
package unserved

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
)

// reasonUnsupported is that of the condition Ready of such an object.
const reasonUnsupported = "Unsupported"

// Checkpoint is the kind DynamoCheckpoint.
func Checkpoint() lifecycle.Kind {
	return lifecycle.Kind{
		Name: "checkpoint", Recorder: "checkpoint", Resource: "dynamocheckpoints",
		Object: &v1alpha1.DynamoCheckpoint{}, List: &v1alpha1.DynamoCheckpointList{},
		Admission: lifecycle.Admission{Warn: func(lifecycle.Writing) []string {
			return []string{"this version of the operator does not act on DynamoCheckpoints: nothing is stored"}
		}},
		Begin: func(_ *lifecycle.Visit, object client.Object) lifecycle.Life {
			checkpoint := object.(*v1alpha1.DynamoCheckpoint)
			checkpoint.Status.ObservedGeneration = checkpoint.Generation
			return &life{checkpoint}
		},
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoCheckpoint).Status.Conditions, v1alpha1.ConditionReady)
		},
	}
}

type life struct{ checkpoint *v1alpha1.DynamoCheckpoint }

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{func(context.Context) error {
		return lifecycle.Refuse(reasonUnsupported, fmt.Sprintf("this version of the operator does nothing for a %s", v1alpha1.KindCheckpoint))
	}}
}

// Conditions implements lifecycle.Life.
func (l *life) Conditions() []metav1.Condition { return l.checkpoint.Status.Conditions }

// Failed implements lifecycle.Life.
func (l *life) Failed(reason, message string) {
	meta.SetStatusCondition(&l.checkpoint.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		ObservedGeneration: l.checkpoint.Generation,
	})
}
