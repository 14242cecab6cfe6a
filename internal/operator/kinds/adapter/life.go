// Package adapter runs DynamoGraphDeploymentScalingAdapters: the scale of one
// service of a graph, for autoscalers and kubectl scale. The graph makes them
// and takes its replicas from them; here they are written into the graph's
// spec, where people and planners look for them, and observed.
package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// reasonNoEffect: nothing takes its replicas from the adapter.
const reasonNoEffect = "NoEffect"

// life is one look at an adapter.
type life struct {
	*lifecycle.Visit
	adapter *v1alpha1.DynamoGraphDeploymentScalingAdapter

	graph *v1alpha1.DynamoGraphDeployment
}

func begin(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
	adapter := object.(*v1alpha1.DynamoGraphDeploymentScalingAdapter)
	adapter.Status.ObservedGeneration = adapter.Generation
	return &life{Visit: visit, adapter: adapter}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{l.findService, l.scale, l.observe}
}

// Conditions implements lifecycle.Life: an adapter has none.
func (l *life) Conditions() []metav1.Condition { return nil }

// Failed implements lifecycle.Life. What cannot be scaled shows no scale.
func (l *life) Failed(reason, _ string) {
	if reason != "" {
		l.adapter.Status.Replicas, l.adapter.Status.Selector = 0, ""
	}
}

// findService refuses adapters that no graph has made: they would be a second
// opinion on a service that may have an adapter of its own.
func (l *life) findService(ctx context.Context) error {
	ref := l.adapter.Spec.DGDRef
	graph := &v1alpha1.DynamoGraphDeployment{}
	err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.adapter.Namespace, Name: ref.Name}, graph)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read graph %s/%s: %w", l.adapter.Namespace, ref.Name, err)
	}
	service, exists := graph.Spec.Services[ref.ServiceName]
	switch {
	case apierrors.IsNotFound(err):
		return lifecycle.Refuse(reasonNoEffect, fmt.Sprintf("there is no graph %s", ref.Name))
	case !exists:
		return lifecycle.Refuse(reasonNoEffect, fmt.Sprintf("graph %s has no service %s", ref.Name, ref.ServiceName))
	case !render.HasScalingAdapter(service):
		return lifecycle.Refuse(reasonNoEffect, fmt.Sprintf("graph %s does not set spec.services[%s].scalingAdapter.enabled", ref.Name, ref.ServiceName))
	case !metav1.IsControlledBy(l.adapter, graph) || l.adapter.Name != render.ComponentName(ref.Name, ref.ServiceName):
		return lifecycle.Refuse(reasonNoEffect, fmt.Sprintf("graph %s has an adapter of its own for service %s: scale %s, and delete this one",
			ref.Name, ref.ServiceName, render.ComponentName(ref.Name, ref.ServiceName)))
	}
	l.graph = graph
	return nil
}

// scale writes the replicas into the graph's spec, as long as the service still
// asks for an adapter.
func (l *life) scale(ctx context.Context) error {
	ref, wanted := l.adapter.Spec.DGDRef, l.adapter.Spec.Replicas
	from := l.graph.Spec.Services[ref.ServiceName].DesiredReplicas()
	if from == wanted {
		return nil
	}
	patch, err := replicasPatch(ref.ServiceName, wanted)
	if err == nil {
		err = l.Client.Patch(ctx, l.graph, patch, apply.FieldManager)
	}
	if err != nil {
		return fmt.Errorf("write %d replicas into service %s of graph %s: %w", wanted, ref.ServiceName, ref.Name, err)
	}
	l.adapter.Status.LastScaleTime = ptr.To(metav1.Now())
	l.WriteNow()
	l.Apply.Events.Eventf(l.adapter, l.graph, corev1.EventTypeNormal, "Scaled", "Scale",
		"Scaled service %s of graph %s from %d to %d replicas", ref.ServiceName, ref.Name, from, wanted)
	return nil
}

// replicasPatch does nothing to a service that is gone or has no adapter any
// more: a merge patch would make one.
func replicasPatch(service string, replicas int32) (client.Patch, error) {
	path := "/spec/services/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(service)
	data, err := json.Marshal([]map[string]any{
		{"op": "test", "path": path + "/scalingAdapter/enabled", "value": true},
		{"op": "add", "path": path + "/replicas", "value": replicas},
	})
	return client.RawPatch(types.JSONPatchType, data), err
}

// observe reports the replicas that there are, which autoscalers compare with
// those that they want.
func (l *life) observe(context.Context) error {
	ref := l.adapter.Spec.DGDRef
	l.adapter.Status.Replicas = l.graph.Status.Services[ref.ServiceName].Replicas
	l.adapter.Status.Selector = render.ServiceSelector(ref.Name, ref.ServiceName)
	return nil
}
