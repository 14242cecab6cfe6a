package await

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
)

// blame says why a workload is not ready: what its pods wait for, and the last
// event. It is empty where nothing more is known.
func (w *Waiter) blame(ctx context.Context, at session.Located) string {
	pods, reasons := w.podReasons(ctx, at)
	if event := w.lastEvent(ctx, at.ID.Namespace, append(pods, at.ID.Name)); event != "" {
		reasons = append(reasons, "last event: "+event)
	}
	if len(reasons) == 0 {
		return ""
	}
	return strings.Join(reasons, "; ")
}

// permanent recognizes what no waiting heals: an image that does not exist or
// that may not be read, and names that cannot be.
func permanent(reason string) bool {
	for _, kind := range []string{"InvalidImageName", "ErrImageNeverPull"} {
		if strings.Contains(reason, kind+": ") {
			return true
		}
	}
	if !strings.Contains(reason, "ImagePullBackOff: ") && !strings.Contains(reason, "ErrImagePull: ") {
		return false
	}
	for _, says := range []string{": not found", "manifest unknown", "unauthorized", "access denied"} {
		if strings.Contains(reason, says) {
			return true
		}
	}
	return false
}

// podReasons lists a workload's pods and says of two of them at most why they
// are not ready.
func (w *Waiter) podReasons(ctx context.Context, at session.Located) (pods, reasons []string) {
	for _, pod := range w.podsOf(ctx, at) {
		pods = append(pods, pod.Name)
		if reason := podReason(&pod); reason != "" {
			reasons = append(reasons, fmt.Sprintf("pod %s: %s", pod.Name, reason))
		}
	}
	if len(reasons) > 2 {
		reasons = append(reasons[:2], fmt.Sprintf("and %d more pods", len(reasons)-2))
	}
	return pods, reasons
}

func (w *Waiter) podsOf(ctx context.Context, at session.Located) []corev1.Pod {
	owner, err := w.session.Client(at).Get(ctx, at.ID.Name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	labels, _, err := unstructured.NestedStringMap(owner.Object, "spec", "selector", "matchLabels")
	if err != nil || len(labels) == 0 {
		return nil
	}
	pods, err := w.session.Kube.CoreV1().Pods(at.ID.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})})
	if err != nil {
		return nil
	}
	return pods.Items
}

// podReason is what keeps a pod from being ready.
func podReason(pod *corev1.Pod) string {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch {
		case c.Ready:
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			return strings.TrimSuffix(fmt.Sprintf("%s: %s", c.State.Waiting.Reason, c.State.Waiting.Message), ": ")
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			return fmt.Sprintf("container %s exited with code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return fmt.Sprintf("%s: %s", condition.Reason, condition.Message)
		}
	}
	if pod.Status.Phase == corev1.PodPending && pod.Spec.NodeName == "" {
		return "not scheduled yet"
	}
	return ""
}

// lastEvent is the newest event of the named objects, warnings first.
func (w *Waiter) lastEvent(ctx context.Context, namespace string, names []string) string {
	var best *corev1.Event
	for _, e := range w.events(ctx, namespace, names) {
		if slices.Contains(names, e.InvolvedObject.Name) && (best == nil || worse(&e, best)) {
			best = &e
		}
	}
	if best == nil {
		return ""
	}
	return fmt.Sprintf("%s: %s", best.Reason, best.Message)
}

// mostEvents is how many events of a namespace are read at once. To select those of
// one object costs the API server as much as to list them all.
const mostEvents = 500

// events lists those of a namespace or, where there are many, of the named objects.
// What cannot be read is left out: they only explain.
func (w *Waiter) events(ctx context.Context, namespace string, names []string) []corev1.Event {
	client := w.session.Kube.CoreV1().Events(namespace)
	all, err := client.List(ctx, metav1.ListOptions{Limit: mostEvents})
	if err != nil {
		return nil
	}
	if all.Continue == "" {
		return all.Items
	}
	var out []corev1.Event
	for _, name := range names {
		list, err := client.List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("involvedObject.name", name).String(), Limit: mostEvents})
		if err != nil {
			return nil
		}
		out = append(out, list.Items...)
	}
	return out
}

func worse(a, b *corev1.Event) bool {
	if (a.Type == corev1.EventTypeWarning) != (b.Type == corev1.EventTypeWarning) {
		return a.Type == corev1.EventTypeWarning
	}
	return a.LastTimestamp.After(b.LastTimestamp.Time)
}
