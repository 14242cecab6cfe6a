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
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
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
	pod, err := render.CheckpointPod(l.dgd, service, l.Config)
	if err != nil {
		return "", err
	}
	if why = checkpoint.CannotRestore(&pod); why != "" {
		l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{Message: why})
		return why, nil
	}
	process := checkpoint.Process(&pod)
	found := checkpoint.Choose(all, wanted, process)
	switch {
	case found != nil:
	case wanted.CheckpointRef != "":
		why = "there is no DynamoCheckpoint " + wanted.CheckpointRef
		l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{CheckpointName: wanted.CheckpointRef, Message: why})
		return why, nil
	case wanted.Mode == v1alpha1.CheckpointModeManual:
		hash := checkpoint.Hash(*wanted.Identity)
		why = "there is no DynamoCheckpoint of this identity (hash " + hash + "), and mode is Manual"
		l.checkpoint(service, v1alpha1.ServiceCheckpointStatus{IdentityHash: hash, Message: why})
		return why, nil
	default:
		name := checkpoint.AutoName(all, checkpoint.Hash(*wanted.Identity), process)
		found = render.AutoCheckpoint(l.dgd, service, name, pod)
		if err := l.Apply.CreateIfMissing(ctx, l.dgd, found); err != nil {
			return "", err
		}
	}
	status := v1alpha1.ServiceCheckpointStatus{
		CheckpointName: found.Name, IdentityHash: checkpoint.Hash(found.Spec.Identity), Ready: checkpoint.IsReady(found),
	}
	if status.Ready {
		l.restores[service] = checkpoint.Artifact(found)
	} else {
		status.Message = strings.TrimSuffix(fmt.Sprintf("DynamoCheckpoint %s is not ready: %s", found.Name, found.Status.Message), ": ")
	}
	l.checkpoint(service, status)
	return status.Message, nil
}

// countStarts says how the pods of services started whose checkpoints are ready.
func (l *life) countStarts(ctx context.Context) error {
	pods := workload.PodsOf(l.Client)
	for _, object := range l.runs {
		component, is := object.(*v1alpha1.DynamoComponentDeployment)
		if !is || l.restores[component.Spec.ServiceName] == "" {
			continue
		}
		found, err := pods.Matching(ctx, l.dgd.Namespace, map[string]string{v1alpha1.LabelSelector: component.Name})
		if err != nil {
			return err
		}
		starts, status := checkpoint.StartsOf(found), l.dgd.Status.Checkpoints[component.Spec.ServiceName]
		status.RestoredReplicas += starts.Restored
		status.ColdStartedReplicas += starts.Cold
		if starts.Why != "" {
			status.Message = plain.Text(starts.Why, lifecycle.LongestMessage)
		}
		l.checkpoint(component.Spec.ServiceName, status)
	}
	return nil
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

// startedFrom is the graph with a pod that was to start from a checkpoint.
func (f finder) startedFrom(ctx context.Context, pod client.Object) []reconcile.Request {
	labels := pod.GetLabels()
	if labels[v1alpha1.LabelCheckpointHash] == "" || labels[v1alpha1.LabelSelector] == "" {
		return nil
	}
	component := &v1alpha1.DynamoComponentDeployment{}
	key := client.ObjectKey{Namespace: pod.GetNamespace(), Name: labels[v1alpha1.LabelSelector]}
	if err := f.Get(ctx, key, component); err != nil {
		return nil // the Job of a checkpoint, or a component that has gone
	}
	graph := render.ParentGraph(component)
	if graph == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: key.Namespace, Name: graph}}}
}
