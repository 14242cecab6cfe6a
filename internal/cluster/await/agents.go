package await

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Agents lists the checkpoint agents of some namespaces, by node. Who may not list pods
// sees none.
func (w *Waiter) Agents(ctx context.Context, namespaces []string) ([]rollout.Agent, error) {
	found := make([][]rollout.Agent, len(namespaces))
	group, ctx := errgroup.WithContext(ctx)
	for i, namespace := range namespaces {
		group.Go(func() (err error) {
			found[i], err = w.agentsIn(ctx, namespace)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := slices.Concat(found...)
	slices.SortFunc(out, func(a, b rollout.Agent) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod))
	})
	return out, nil
}

func (w *Waiter) agentsIn(ctx context.Context, namespace string) (out []rollout.Agent, err error) {
	pods, err := w.session.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: marks.Agents})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, w.session.Explain("list the checkpoint agents in namespace "+namespace, err)
	}
	for _, pod := range pods.Items {
		out = append(out, agentOf(&pod))
	}
	return out, nil
}

func agentOf(pod *corev1.Pod) rollout.Agent {
	agent := rollout.Agent{Namespace: pod.Namespace, Pod: pod.Name, Node: cmp.Or(pod.Spec.NodeName, meantFor(pod)), Created: pod.CreationTimestamp.Time}
	for _, c := range pod.Spec.Containers {
		agent.Image = c.Image
		break
	}
	for _, c := range pod.Status.ContainerStatuses {
		agent.Restarts += int(c.RestartCount)
	}
	agent.Ready = slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	if !agent.Ready {
		agent.Message = podReason(pod)
	}
	return agent
}

// meantFor is the node that a DaemonSet made a pod for, before it is scheduled.
func meantFor(pod *corev1.Pod) string {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil || pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}
