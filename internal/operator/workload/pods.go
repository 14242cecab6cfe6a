package workload

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// PodsOf reads pods from a cache, which holds of them what Observable leaves, and
// their events from the API server.
func PodsOf(cached, live client.Reader) Pods { return pods{cached, live} }

type pods struct {
	cached client.Reader
	live   client.Reader
}

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
	err := p.live.List(ctx, &events, client.InNamespace(pod.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{
			"involvedObject.uid": string(pod.UID), "type": corev1.EventTypeWarning,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("list the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return events.Items, nil
}

// Blame finds the pod that best explains why a workload is not ready, nil if none
// does, and when to look again at what nothing wakes up for.
func Blame(ctx context.Context, cluster Pods, pods []corev1.Pod) (finding *diagnose.Finding, again time.Duration, err error) {
	finding = diagnose.Blocking(pods)
	if finding == nil || !finding.AsksEvents() {
		return finding, 0, nil
	}
	events, err := cluster.Warnings(ctx, finding.Pod)
	if err != nil {
		return nil, 0, err
	}
	*finding = finding.Told(events)
	return finding, AskEventsAgain, nil
}
