package graph

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Reasons beyond those of the API.
const (
	// The graph needs what the operator or the cluster has not got.
	reasonUnsupported = "Unsupported"
	// A claim that the graph expects to exist does not.
	reasonClaimMissing = "PersistentVolumeClaimNotFound"
)

// Conditions that are there, and false, while services miss NATS, and while a
// claim is not what the spec says.
const (
	conditionNATS   = "NATSAvailable"
	conditionClaims = "ClaimsAsSpecified"
)

// status is that of a graph, for the generation that is being looked at.
type status struct {
	dgd *v1alpha1.DynamoGraphDeployment
}

func statusOf(dgd *v1alpha1.DynamoGraphDeployment) *status {
	dgd.Status.ObservedGeneration = dgd.Generation
	return &status{dgd: dgd}
}

// Conditions implements lifecycle.Life.
func (s *status) Conditions() []metav1.Condition { return s.dgd.Status.Conditions }

// Failed implements lifecycle.Life. The services and the restart stay as last
// seen: a failure says nothing about them.
func (s *status) Failed(reason, message string) {
	if reason == "" {
		reason = v1alpha1.ReasonReconcileFailed
	}
	s.set(v1alpha1.GraphStateFailed, metav1.ConditionFalse, reason, message)
}

// pathway records how the graph is run, and why.
func (s *status) pathway(path render.Path) {
	s.note(v1alpha1.ConditionPathwayChosen, metav1.ConditionTrue, path.Name, path.Why)
}

// gangs reports on the services whose groups of pods are not scheduled as one.
func (s *status) gangs(loose []string, volcano bool) {
	message := "the pods of a group of " + strings.Join(loose, ", ") + " are scheduled one by one, so where there is no room for all of them some hold their GPUs and wait"
	if volcano {
		message += ". Volcano is there, and schedules a group as one where extraPodSpec.schedulerName of the service is volcano, and LeaderWorkerSet, " +
			"from its version 0.7 on, has gangSchedulingManagement.schedulerProvider: volcano in its configuration"
	}
	s.unless(len(loose) == 0, v1alpha1.ConditionGroupsScheduledAsOne, "NoGangScheduling", message)
}

// noPathway: the cluster has no API by which the graph could be run. That one runs
// through Grove stays on record: it waits for its API to come back.
func (s *status) noPathway(running, why string) {
	if running == render.PathGrove {
		return
	}
	s.note(v1alpha1.ConditionPathwayChosen, metav1.ConditionFalse, "MissingAPI", why)
	meta.RemoveStatusCondition(&s.dgd.Status.Conditions, v1alpha1.ConditionGroupsScheduledAsOne)
}

// messaging reports on the services that miss NATS.
func (s *status) messaging(missing []string) {
	message := ""
	if len(missing) > 0 {
		message = render.NoNATS(missing)
	}
	s.unless(message == "", conditionNATS, "NoNATS", message)
}

// claims reports on the claims that are not what the spec says.
func (s *status) claims(different []string) {
	s.unless(len(different) == 0, conditionClaims, "ClaimDiffers", strings.Join(different, "; "))
}

// unless has a condition that is false, or none if all is well.
func (s *status) unless(well bool, condition, reason, message string) {
	if well {
		meta.RemoveStatusCondition(&s.dgd.Status.Conditions, condition)
		return
	}
	meta.SetStatusCondition(&s.dgd.Status.Conditions, metav1.Condition{
		Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		ObservedGeneration: s.dgd.Generation,
	})
}

// services reports on the services as one: first on those that somebody has to
// do something about, which others may only be waiting for.
func (s *status) services(services map[string]pathway.Service) {
	s.dgd.Status.Services = map[string]v1alpha1.ServiceReplicaStatus{}
	var refused, blocked, waiting []string
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service := services[name]
		if service.Status != nil {
			s.dgd.Status.Services[name] = *service.Status
		}
		switch {
		case service.Refused:
			refused = append(refused, name+": "+service.Message)
		case service.Blocked:
			blocked = append(blocked, name+": "+service.Message)
		case !service.Ready:
			waiting = append(waiting, name+": "+service.Message)
		}
	}
	if troubles := slices.Concat(refused, blocked, waiting); len(troubles) > 0 {
		state, reason := v1alpha1.GraphStatePending, v1alpha1.ReasonSomeResourcesNotReady
		if len(refused) > 0 {
			state, reason = v1alpha1.GraphStateFailed, v1alpha1.ReasonValidationFailed
		}
		s.set(state, metav1.ConditionFalse, reason, strings.Join(troubles, "; "))
		return
	}
	s.set(v1alpha1.GraphStateSuccessful, metav1.ConditionTrue, v1alpha1.ReasonAllResourcesReady, s.allReady())
}

// allReady: of a graph that is scaled to nothing it is true, and not all.
func (s *status) allReady() string {
	for _, service := range s.dgd.Spec.Services {
		if service.DesiredReplicas() > 0 {
			return "All resources are ready"
		}
	}
	return "All resources are ready, and no service has replicas: nothing serves"
}

// set keeps the time of the last transition unless the status changes.
func (s *status) set(state v1alpha1.GraphState, ready metav1.ConditionStatus, reason, message string) {
	s.dgd.Status.State = state
	s.note(v1alpha1.ConditionReady, ready, reason, message)
}

func (s *status) note(condition string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.dgd.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: s.dgd.Generation,
	})
}
