package workload

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
)

// Observable is what a pod is kept for: how it does. What it runs stands in what
// made it, and every replica would be a further copy of it.
func Observable(object any) (any, error) {
	pod, is := object.(*corev1.Pod)
	if !is {
		return object, nil
	}
	var containers []corev1.Container
	for _, c := range pod.Spec.Containers {
		containers = append(containers, corev1.Container{Name: c.Name, Ports: c.Ports, StartupProbe: c.StartupProbe})
	}
	pod.ManagedFields, pod.Annotations = nil, nil
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, Containers: containers}
	return pod, nil
}

// Warnings limits a cache of events to the warnings about pods. Asked for them, the
// API server would go through all events of a namespace for each pod: a thousand
// that load their models would keep it busy with nothing else.
func Warnings() cache.ByObject {
	return cache.ByObject{
		Field:     fields.SelectorFromSet(fields.Set{"involvedObject.kind": "Pod", "type": corev1.EventTypeWarning}),
		Transform: told,
	}
}

// told is what a warning is kept for.
func told(object any) (any, error) {
	event, is := object.(*corev1.Event)
	if !is {
		return object, nil
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: event.Namespace, Name: event.Name, UID: event.UID, ResourceVersion: event.ResourceVersion,
			CreationTimestamp: event.CreationTimestamp,
		},
		InvolvedObject: corev1.ObjectReference{Name: event.InvolvedObject.Name, UID: event.InvolvedObject.UID},
		Type:           event.Type, Reason: event.Reason, Message: event.Message,
		LastTimestamp: event.LastTimestamp, EventTime: event.EventTime, Series: event.Series,
	}, nil
}

// aboutPod is the index of warnings by the UID of their pod.
const aboutPod = "involvedObject.uid"

// Index lets the warnings about a pod be found.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &corev1.Event{}, aboutPod, func(object client.Object) []string {
		return []string{string(object.(*corev1.Event).InvolvedObject.UID)}
	})
}

// Watch wakes up what a pod belongs to when the pod changes or is warned of.
func Watch(cached client.Reader, build *builder.Builder, owner handler.MapFunc) {
	build.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(owner))
	build.Watches(&corev1.Event{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, event client.Object) []reconcile.Request {
		about := event.(*corev1.Event).InvolvedObject
		pod := &corev1.Pod{}
		// A pod that is not here yet wakes its owner up when it is.
		if err := cached.Get(ctx, client.ObjectKey{Namespace: event.GetNamespace(), Name: about.Name}, pod); err != nil || pod.UID != about.UID {
			return nil
		}
		return owner(ctx, pod)
	}))
}

// PodsOf reads pods and warnings from a cache.
func PodsOf(cached client.Reader) Pods { return pods{cached} }

type pods struct{ cached client.Reader }

// Matching implements Pods.
func (p pods) Matching(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := p.cached.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
		return nil, fmt.Errorf("list the pods with labels %v in namespace %s: %w", labels, namespace, err)
	}
	return list.Items, nil
}

// Warnings implements Pods.
func (p pods) Warnings(ctx context.Context, pod *corev1.Pod) ([]corev1.Event, error) {
	var events corev1.EventList
	if err := p.cached.List(ctx, &events, client.InNamespace(pod.Namespace), client.MatchingFields{aboutPod: string(pod.UID)}); err != nil {
		return nil, fmt.Errorf("list the warnings about pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return events.Items, nil
}

// Blame finds the pod that best explains why a workload is not ready, nil if none
// does.
func Blame(ctx context.Context, cluster Pods, pods []corev1.Pod) (*diagnose.Finding, error) {
	finding := diagnose.Blocking(pods)
	if finding == nil || !finding.AsksEvents() {
		return finding, nil
	}
	warnings, err := cluster.Warnings(ctx, finding.Pod)
	if err != nil {
		return nil, err
	}
	told := finding.Told(warnings)
	return &told, nil
}
