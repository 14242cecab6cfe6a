package graph

import (
	"maps"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
)

// restart returns the progress of a restart, and the id that each service
// should carry by now. How far a restart has come is read from what runs the
// services, so nothing is lost if a status is.
func restart(dgd *v1alpha1.DynamoGraphDeployment, services []string, seen map[string]pathway.Service) (*v1alpha1.RestartStatus, map[string]string) {
	carried, ready := map[string]string{}, map[string]bool{}
	for name, service := range seen {
		if service.Restart != "" {
			carried[name] = service.Restart
		}
		ready[name] = service.Ready
	}
	return advance(dgd.Spec.Restart, dgd.Status.Restart, services, carried, ready)
}

// advance decides one step of a restart from the ids that the services carry
// and from whether they are ready with them. A service that ready does not
// mention does not exist yet: it starts with the wanted id and needs no restart.
func advance(wanted *v1alpha1.Restart, last *v1alpha1.RestartStatus, services []string, carried map[string]string, ready map[string]bool) (*v1alpha1.RestartStatus, map[string]string) {
	ids := maps.Clone(carried)
	finished := last != nil && last.Phase != v1alpha1.RestartPhaseRestarting
	switch {
	case wanted == nil && finished:
		return last, ids
	case wanted == nil:
		return nil, ids
	case finished && last.ObservedID == wanted.ID:
		return last, ids
	}
	order, parallel := services, false
	if wanted.Strategy != nil {
		parallel = wanted.Strategy.Type == v1alpha1.RestartStrategyParallel
		if len(wanted.Strategy.Order) > 0 {
			order = wanted.Strategy.Order
		}
	}
	status := &v1alpha1.RestartStatus{ObservedID: wanted.ID, Phase: v1alpha1.RestartPhaseRestarting}
	for _, service := range order {
		isReady, exists := ready[service]
		if exists && isReady && carried[service] == wanted.ID {
			continue
		}
		ids[service] = wanted.ID
		if !exists {
			continue
		}
		status.InProgress = append(status.InProgress, service)
		if !parallel {
			break
		}
	}
	if len(status.InProgress) == 0 {
		status.Phase = v1alpha1.RestartPhaseCompleted
	}
	return status, ids
}
