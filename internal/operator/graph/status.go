package graph

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Reasons beyond those of the API.
const (
	// The graph needs what the operator or the cluster has not got.
	reasonUnsupported = "Unsupported"
	// A claim that the graph expects to exist does not.
	reasonClaimMissing = "PersistentVolumeClaimNotFound"
)

// conditionNATS is there, and false, while services miss NATS.
const conditionNATS = "NATSAvailable"

// longestMessage is below the API's limit for a condition.
const longestMessage = 4096

// graphStatus writes the status of a graph for the generation that is being
// reconciled.
type graphStatus struct {
	dgd *v1alpha1.DynamoGraphDeployment
}

func statusOf(dgd *v1alpha1.DynamoGraphDeployment) *graphStatus {
	dgd.Status.ObservedGeneration = dgd.Generation
	return &graphStatus{dgd: dgd}
}

func (s *graphStatus) failed(reason, message string) {
	s.set(v1alpha1.GraphStateFailed, metav1.ConditionFalse, reason, message)
}

// messaging tells of services that miss NATS. They may run all the same, so
// whether the graph is ready is another matter.
func (s *graphStatus) messaging(missing []string) {
	if len(missing) == 0 {
		meta.RemoveStatusCondition(&s.dgd.Status.Conditions, conditionNATS)
		return
	}
	meta.SetStatusCondition(&s.dgd.Status.Conditions, metav1.Condition{
		Type: conditionNATS, Status: metav1.ConditionFalse, Reason: "NoNATS", Message: short(render.NoNATS(missing)),
		ObservedGeneration: s.dgd.Generation,
	})
}

// observe takes over what the components report.
func (s *graphStatus) observe(components []*v1alpha1.DynamoComponentDeployment) {
	services := map[string]v1alpha1.ServiceReplicaStatus{}
	var waiting []string
	for _, component := range components {
		service := component.Spec.ServiceName
		if component.Status.Service != nil {
			services[service] = *component.Status.Service
		}
		if ready, message := componentReady(component); !ready {
			waiting = append(waiting, service+": "+message)
		}
	}
	s.dgd.Status.Services = services
	if len(waiting) > 0 {
		s.set(v1alpha1.GraphStatePending, metav1.ConditionFalse, v1alpha1.ReasonSomeResourcesNotReady, strings.Join(waiting, "; "))
		return
	}
	s.set(v1alpha1.GraphStateSuccessful, metav1.ConditionTrue, v1alpha1.ReasonAllResourcesReady, "All resources are ready")
}

// componentReady believes a component only about its current generation.
func componentReady(component *v1alpha1.DynamoComponentDeployment) (ready bool, message string) {
	available := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionAvailable)
	if available == nil || component.Status.ObservedGeneration < component.Generation || available.ObservedGeneration < component.Generation {
		return false, "the latest change has not been acted upon yet"
	}
	return available.Status == metav1.ConditionTrue, available.Message
}

// set keeps the time of the last transition unless the status changes.
func (s *graphStatus) set(state v1alpha1.GraphState, ready metav1.ConditionStatus, reason, message string) {
	s.dgd.Status.State = state
	meta.SetStatusCondition(&s.dgd.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: short(message),
		ObservedGeneration: s.dgd.Generation,
	})
}

func short(message string) string {
	if runes := []rune(message); len(runes) > longestMessage {
		return string(runes[:longestMessage-1]) + "…"
	}
	return message
}
