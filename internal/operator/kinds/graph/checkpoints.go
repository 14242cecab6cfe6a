package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// conditionCheckpoints is there, and false, while services start without the
// checkpoint that they ask for.
const conditionCheckpoints = "CheckpointsReady"

// findCheckpoints finds what services start from, and has taken what is missing. A
// service whose checkpoint is not ready starts as if it had not asked for one.
func (l *life) findCheckpoints(ctx context.Context) error {
	l.dgd.Status.Checkpoints, l.restores = nil, map[string]string{}
	var without []string
	if usesCheckpoints(l.dgd) {
		var all v1alpha1.DynamoCheckpointList
		if err := l.Client.List(ctx, &all, client.InNamespace(l.dgd.Namespace)); err != nil {
			return fmt.Errorf("list the checkpoints in namespace %s: %w", l.dgd.Namespace, err)
		}
		for _, name := range slices.Sorted(maps.Keys(l.dgd.Spec.Services)) {
			why, err := l.findCheckpoint(ctx, name, all.Items)
			if err != nil {
				return err
			}
			if why != "" {
				without = append(without, name+": "+why)
			}
		}
	}
	l.unless(len(without) == 0, conditionCheckpoints, "StartsWithout", strings.Join(without, "; "))
	return nil
}

// findCheckpoint returns why a service starts without one, "" if it need not.
func (l *life) findCheckpoint(ctx context.Context, service string, all []v1alpha1.DynamoCheckpoint) (why string, err error) {
	wanted := l.dgd.Spec.Services[service].Checkpoint
	if wanted == nil || !wanted.Enabled {
		return "", nil
	}
	found := checkpoint.Choose(all, wanted)
	switch {
	case found != nil:
	case wanted.CheckpointRef != "":
		l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{CheckpointName: wanted.CheckpointRef})
		return "there is no DynamoCheckpoint " + wanted.CheckpointRef, nil
	case wanted.Mode == v1alpha1.CheckpointModeManual:
		hash := checkpoint.Hash(*wanted.Identity)
		l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{IdentityHash: hash})
		return "there is no DynamoCheckpoint of this identity (hash " + hash + "), and mode is Manual", nil
	default:
		if found, err = render.AutoCheckpoint(l.dgd, service, l.Config); err == nil {
			err = l.Apply.CreateIfMissing(ctx, l.dgd, found)
		}
		if err != nil {
			return "", err
		}
	}
	hash := checkpoint.Hash(found.Spec.Identity)
	ready := checkpoint.IsReady(found)
	l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{CheckpointName: found.Name, IdentityHash: hash, Ready: ready})
	if !ready {
		return fmt.Sprintf("DynamoCheckpoint %s is not ready: %s", found.Name, found.Status.Message), nil
	}
	l.restores[service] = hash
	return "", nil
}

func (l *life) checkpoint(service string, status v1alpha1.ServiceCheckpointStatus) {
	if l.dgd.Status.Checkpoints == nil {
		l.dgd.Status.Checkpoints = map[string]v1alpha1.ServiceCheckpointStatus{}
	}
	l.dgd.Status.Checkpoints[service] = status
}

func usesCheckpoints(dgd *v1alpha1.DynamoGraphDeployment) bool {
	for _, service := range dgd.Spec.Services {
		if service != nil && service.Checkpoint != nil && service.Checkpoint.Enabled {
			return true
		}
	}
	return false
}

// meaning are the graphs with a service that means a checkpoint.
func (f finder) meaning(ctx context.Context, object client.Object) []reconcile.Request {
	c := object.(*v1alpha1.DynamoCheckpoint)
	return f.where(ctx, c.Namespace, func(dgd *v1alpha1.DynamoGraphDeployment) bool {
		for _, service := range dgd.Spec.Services {
			if service != nil && checkpoint.Fits(c, service.Checkpoint) {
				return true
			}
		}
		return false
	})
}
