package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/podhttp"
)

// podsWith are those with an address that are not on their way out, by name.
func (l *life) podsWith(ctx context.Context, labels client.MatchingLabels) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := l.Client.List(ctx, &list, client.InNamespace(l.model.Namespace), labels); err != nil {
		return nil, fmt.Errorf("list the pods with labels %v in namespace %s: %w", labels, l.model.Namespace, err)
	}
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.PodIP == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods, nil
}

// each does something for every pod at the same time, and returns what came of it
// in their order.
func each[T any](pods []corev1.Pod, do func(corev1.Pod) T) []T {
	results := make([]T, len(pods))
	var wait sync.WaitGroup
	for i, pod := range pods {
		wait.Go(func() { results[i] = do(pod) })
	}
	wait.Wait()
	return results
}

func (l *life) loading(pod corev1.Pod) loading {
	wanted := l.wanted()
	return loading{model: client.ObjectKeyFromObject(l.model), worker: podhttp.Address(pod, "system", 9090), name: wanted.Name, from: wanted.URI}
}

// possession is what a worker says of the adapter.
type possession struct {
	has bool
	err error
}

// ask asks a worker whether it has the adapter. Of one that cannot tell, it is
// known whether we had it loaded.
func (l *life) ask(ctx context.Context, pod corev1.Pod) possession {
	what := l.loading(pod)
	names, err := loaded(ctx, what.worker)
	if errors.Is(err, podhttp.ErrUnknown) {
		return possession{has: l.calls.succeeded(what)}
	}
	return possession{names[what.name], err}
}

func (l *life) unloadAll(ctx context.Context, name string) error {
	return errors.Join(each(l.pods, func(pod corev1.Pod) error {
		if err := unload(ctx, l.loading(pod).worker, name); err != nil {
			return fmt.Errorf("pod %s: unload %s: %w", pod.Name, name, err)
		}
		return nil
	})...)
}

// missingAt says where the model is not listed; empty if all ready frontends of
// the graph do.
func (l *life) missingAt(ctx context.Context, graph string) (string, error) {
	frontends, err := l.podsWith(ctx, client.MatchingLabels{v1alpha1.LabelGraphDeploymentName: graph})
	if err != nil {
		return "", err
	}
	frontends = slices.DeleteFunc(frontends, func(p corev1.Pod) bool { return podhttp.Frontend(p) == "" || !podhttp.IsReady(p) })
	if len(frontends) == 0 {
		return fmt.Sprintf("graph %s has no ready frontend", graph), nil
	}
	return cmp.Or(each(frontends, func(pod corev1.Pod) string {
		switch names, err := listed(ctx, podhttp.Frontend(pod)); {
		case err != nil:
			return fmt.Sprintf("frontend %s %s", pod.Name, reason(err))
		case !names[l.model.Spec.ModelName]:
			return fmt.Sprintf("frontend %s does not list it", pod.Name)
		default:
			return ""
		}
	})...), nil
}
