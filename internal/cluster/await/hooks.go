package await

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// hookPeriod is how often a hook is looked at.
const hookPeriod = time.Second

// AwaitJob waits until a hook's Job has ended well. It fails at once when the
// Job does, and when it stood still for too long; both errors name the cause.
func (w *Waiter) AwaitJob(ctx context.Context, namespace, name string, waiting rollout.Waiting) error {
	what := fmt.Sprintf("hook Job %s/%s", namespace, name)
	return w.awaitRun(ctx, what, waiting, func() (run, error) {
		job, err := w.session.Kube.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return run{}, err
		}
		status := job.Status
		out := run{stage: fmt.Sprintf("%d %d %d", status.Active, status.Succeeded, status.Failed), pods: w.podsOfJob(ctx, job)}
		for _, condition := range status.Conditions {
			if condition.Status != corev1.ConditionTrue {
				continue
			}
			switch condition.Type {
			case batchv1.JobComplete:
				out.done = true
			case batchv1.JobFailed:
				out.failed = strings.TrimSuffix(condition.Reason+": "+condition.Message, ": ")
			}
		}
		return out, nil
	})
}

// AwaitPod is AwaitJob for a hook that is a Pod.
func (w *Waiter) AwaitPod(ctx context.Context, namespace, name string, waiting rollout.Waiting) error {
	what := fmt.Sprintf("hook Pod %s/%s", namespace, name)
	return w.awaitRun(ctx, what, waiting, func() (run, error) {
		pod, err := w.session.Kube.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return run{}, err
		}
		out := run{stage: string(pod.Status.Phase), pods: []corev1.Pod{*pod}, done: pod.Status.Phase == corev1.PodSucceeded}
		if pod.Status.Phase == corev1.PodFailed {
			out.failed = strings.TrimSuffix("failed: "+pod.Status.Message, ": ")
		}
		return out, nil
	})
}

// run is how far a hook has come.
type run struct {
	// stage changes when the hook makes progress.
	stage  string
	done   bool
	failed string
	pods   []corev1.Pod
}

func (w *Waiter) awaitRun(ctx context.Context, what string, waiting rollout.Waiting, look func() (run, error)) error {
	begun, stage, told := time.Now(), "", ""
	for {
		now, err := look()
		switch {
		case err != nil:
			return w.session.Explain("wait for "+what, err)
		case now.done:
			return nil
		case now.failed != "":
			return fmt.Errorf("%s failed: %s%s", what, now.failed, w.lastWords(ctx, now.pods))
		}
		if now.stage != stage {
			begun, stage = time.Now(), now.stage
		}
		state := w.hookState(ctx, what, now.pods)
		if time.Since(begun) > waiting.Patience {
			return fmt.Errorf("%s has not ended and made no progress for %s%s", what, waiting.Patience, strings.TrimPrefix(state, what+" runs"))
		}
		if state != told {
			waiting.Report(state)
			told = state
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(hookPeriod):
		}
	}
}

// hookState is what a person wants to see of a hook that is waited for.
func (w *Waiter) hookState(ctx context.Context, what string, pods []corev1.Pod) string {
	text := what + " runs"
	if len(pods) == 0 {
		return text + "; it has no pod yet"
	}
	newest := pods[len(pods)-1]
	text += "; pod " + newest.Name
	if reason := podReason(&newest); reason != "" {
		text += ": " + reason
	}
	if event := w.lastEvent(ctx, newest.Namespace, []string{newest.Name}); event != "" {
		text += "; last event: " + event
	}
	return text
}

// podsOfJob lists the pods of a Job, the newest last.
func (w *Waiter) podsOfJob(ctx context.Context, job *batchv1.Job) []corev1.Pod {
	if job.Spec.Selector == nil {
		return nil
	}
	list, err := w.session.Kube.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(job.Spec.Selector)})
	if err != nil {
		return nil // it is only told
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return list.Items
}

// lastWords are how the newest pod ended and the last line that it said.
func (w *Waiter) lastWords(ctx context.Context, pods []corev1.Pod) string {
	if len(pods) == 0 {
		return ""
	}
	pod, lines, most := pods[len(pods)-1], int64(1), int64(4096)
	text := ""
	if reason := podReason(&pod); reason != "" {
		text = fmt.Sprintf("; pod %s: %s", pod.Name, reason)
	}
	stream, err := w.session.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines, LimitBytes: &most}).Stream(ctx)
	if err != nil {
		return text
	}
	defer func() { _ = stream.Close() }()
	if said, err := io.ReadAll(stream); err == nil && len(strings.TrimSpace(string(said))) > 0 {
		text += fmt.Sprintf("; it said last: %s", strings.TrimSpace(string(said)))
	}
	return text
}
