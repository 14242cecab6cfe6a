// Package unserved answers for the kinds of our API that this version of the
// operator does nothing for: whoever makes such an object is told.
package unserved

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// reasonUnsupported is that of the condition Ready of such an object.
const reasonUnsupported = "Unsupported"

// Request is the kind DynamoGraphDeploymentRequest.
func Request() lifecycle.Kind {
	return lifecycle.Kind{
		Name: "request", Recorder: "dynamographdeploymentrequest", Resource: "dynamographdeploymentrequests", Finalizer: true,
		Object: &v1alpha1.DynamoGraphDeploymentRequest{}, List: &v1alpha1.DynamoGraphDeploymentRequestList{},
		Validate: func(object client.Object, cfg *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.Request(object.(*v1alpha1.DynamoGraphDeploymentRequest), !cfg.ClusterWide())
		},
		Admission: lifecycle.Admission{Warn: idle("DynamoGraphDeploymentRequests: nothing is profiled, and no graph is made")},
		Begin: func(_ *lifecycle.Visit, object client.Object) lifecycle.Life {
			status := &object.(*v1alpha1.DynamoGraphDeploymentRequest).Status
			return begin(v1alpha1.KindGraphDeploymentRequest, object, &status.ObservedGeneration, &status.Conditions)
		},
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoGraphDeploymentRequest).Status.Conditions, v1alpha1.ConditionReady)
		},
	}
}

// Checkpoint is the kind DynamoCheckpoint.
func Checkpoint() lifecycle.Kind {
	return lifecycle.Kind{
		Name: "checkpoint", Recorder: "checkpoint", Resource: "dynamocheckpoints",
		Object: &v1alpha1.DynamoCheckpoint{}, List: &v1alpha1.DynamoCheckpointList{},
		Admission: lifecycle.Admission{Warn: idle("DynamoCheckpoints: nothing is stored")},
		Begin: func(_ *lifecycle.Visit, object client.Object) lifecycle.Life {
			status := &object.(*v1alpha1.DynamoCheckpoint).Status
			return begin(v1alpha1.KindCheckpoint, object, &status.ObservedGeneration, &status.Conditions)
		},
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoCheckpoint).Status.Conditions, v1alpha1.ConditionReady)
		},
	}
}

// idle tells the author of such an object that nothing comes of it.
func idle(what string) func(lifecycle.Writing) []string {
	return func(lifecycle.Writing) []string {
		return []string{"this version of the operator does not act on " + what}
	}
}

type life struct {
	kind       string
	generation int64
	conditions *[]metav1.Condition
}

func begin(kind string, object client.Object, observed *int64, conditions *[]metav1.Condition) lifecycle.Life {
	*observed = object.GetGeneration()
	return &life{kind: kind, generation: object.GetGeneration(), conditions: conditions}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{func(context.Context) error {
		return lifecycle.Refuse(reasonUnsupported, fmt.Sprintf("this version of the operator does nothing for a %s", l.kind))
	}}
}

// Conditions implements lifecycle.Life.
func (l *life) Conditions() []metav1.Condition { return *l.conditions }

// Failed implements lifecycle.Life.
func (l *life) Failed(reason, message string) {
	meta.SetStatusCondition(l.conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		ObservedGeneration: l.generation,
	})
}
