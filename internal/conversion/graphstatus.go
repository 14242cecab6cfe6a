package conversion

import (
	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// betaGraphRest is what v1alpha1 cannot say of a graph's status.
type betaGraphRest struct {
	Components    map[string]*betaReplicasRest `json:"components,omitempty"`
	CheckpointIDs map[string]string            `json:"checkpointIDs,omitempty"`
	RollingUpdate *v1beta1.RollingUpdateStatus `json:"rollingUpdate,omitempty"`
	Placement     *v1beta1.PlacementStatus     `json:"placement,omitempty"`
}

// betaReplicasRest is what v1alpha1 cannot say of a component's replicas.
type betaReplicasRest struct {
	// ComponentNames are there where there are more than one.
	ComponentNames    []string `json:"componentNames,omitempty"`
	RuntimeNamespace  string   `json:"runtimeNamespace,omitempty"`
	ScheduledReplicas *int32   `json:"scheduledReplicas,omitempty"`
}

func betaGraphStatus(a *v1alpha1.DynamoGraphDeploymentStatus, kept *betaGraphRest) *v1beta1.DynamoGraphDeploymentStatus {
	if kept == nil {
		kept = &betaGraphRest{}
	}
	b := &v1beta1.DynamoGraphDeploymentStatus{
		ObservedGeneration: a.ObservedGeneration, State: a.State, Conditions: a.Conditions,
		Restart: (*v1beta1.RestartStatus)(a.Restart), RollingUpdate: kept.RollingUpdate, Placement: kept.Placement,
	}
	for name, s := range a.Services {
		if b.Components == nil {
			b.Components = map[string]v1beta1.ComponentReplicaStatus{}
		}
		b.Components[name] = *betaReplicas(&s, kept.Components[name])
	}
	for name, c := range a.Checkpoints {
		if b.Checkpoints == nil {
			b.Checkpoints = map[string]v1beta1.ComponentCheckpointStatus{}
		}
		b.Checkpoints[name] = v1beta1.ComponentCheckpointStatus{
			CheckpointName: c.CheckpointName, IdentityHash: c.IdentityHash, Ready: c.Ready, CheckpointID: kept.CheckpointIDs[name],
			RestoredReplicas: c.RestoredReplicas, ColdStartedReplicas: c.ColdStartedReplicas, Message: c.Message,
		}
	}
	return b
}

func alphaGraphStatus(b *v1beta1.DynamoGraphDeploymentStatus) (*v1alpha1.DynamoGraphDeploymentStatus, *betaGraphRest) {
	a := &v1alpha1.DynamoGraphDeploymentStatus{
		ObservedGeneration: b.ObservedGeneration, State: b.State, Conditions: b.Conditions,
		Restart: (*v1alpha1.RestartStatus)(b.Restart),
	}
	rest := &betaGraphRest{RollingUpdate: b.RollingUpdate, Placement: b.Placement}
	for name, c := range b.Components {
		if a.Services == nil {
			a.Services = map[string]v1alpha1.ServiceReplicaStatus{}
		}
		service, lacks := alphaReplicas(&c)
		a.Services[name] = *service
		if lacks != nil {
			if rest.Components == nil {
				rest.Components = map[string]*betaReplicasRest{}
			}
			rest.Components[name] = lacks
		}
	}
	for name, c := range b.Checkpoints {
		if a.Checkpoints == nil {
			a.Checkpoints = map[string]v1alpha1.ServiceCheckpointStatus{}
		}
		a.Checkpoints[name] = v1alpha1.ServiceCheckpointStatus{
			CheckpointName: c.CheckpointName, IdentityHash: c.IdentityHash, Ready: c.Ready,
			RestoredReplicas: c.RestoredReplicas, ColdStartedReplicas: c.ColdStartedReplicas, Message: c.Message,
		}
		if c.CheckpointID != "" {
			if rest.CheckpointIDs == nil {
				rest.CheckpointIDs = map[string]string{}
			}
			rest.CheckpointIDs[name] = c.CheckpointID
		}
	}
	return a, rest
}

func betaReplicas(a *v1alpha1.ServiceReplicaStatus, kept *betaReplicasRest) *v1beta1.ComponentReplicaStatus {
	b := &v1beta1.ComponentReplicaStatus{
		ComponentKind: a.ComponentKind, Replicas: a.Replicas, UpdatedReplicas: a.UpdatedReplicas,
		ReadyReplicas: a.ReadyReplicas, AvailableReplicas: a.AvailableReplicas,
	}
	if a.ComponentName != "" {
		b.ComponentNames = []string{a.ComponentName}
	}
	if kept == nil {
		return b
	}
	b.RuntimeNamespace, b.ScheduledReplicas = kept.RuntimeNamespace, kept.ScheduledReplicas
	if len(kept.ComponentNames) > 0 && kept.ComponentNames[0] == a.ComponentName {
		b.ComponentNames = kept.ComponentNames
	}
	return b
}

func alphaReplicas(b *v1beta1.ComponentReplicaStatus) (*v1alpha1.ServiceReplicaStatus, *betaReplicasRest) {
	a := &v1alpha1.ServiceReplicaStatus{
		ComponentKind: b.ComponentKind, Replicas: b.Replicas, UpdatedReplicas: b.UpdatedReplicas,
		ReadyReplicas: b.ReadyReplicas, AvailableReplicas: b.AvailableReplicas,
	}
	rest := &betaReplicasRest{RuntimeNamespace: b.RuntimeNamespace, ScheduledReplicas: b.ScheduledReplicas}
	if len(b.ComponentNames) > 0 {
		a.ComponentName = b.ComponentNames[0]
	}
	if len(b.ComponentNames) > 1 || len(b.ComponentNames) == 1 && a.ComponentName == "" {
		rest.ComponentNames = b.ComponentNames
	}
	if zero(*rest) {
		return a, nil
	}
	return a, rest
}
