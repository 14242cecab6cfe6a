package diagnose

import (
	"cmp"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Job says why the pods of a Job, of which each is tried once, have not succeeded:
// how the last one failed or what a running one waits for, "" for nothing.
func Job(pods []corev1.Pod) string {
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range pods {
		if why := tried(&pods[i]); why != "" {
			return why
		}
	}
	return ""
}

func tried(pod *corev1.Pod) string {
	if pod.Status.Phase == corev1.PodSucceeded {
		return ""
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "" {
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			if end := c.State.Terminated; end != nil && end.ExitCode != 0 {
				return fmt.Sprintf("pod %s: %s", pod.Name, ending(c.Name, end))
			}
		}
	}
	if finding := explain(pod); finding.NeedsAPerson() && finding.Reason != "" {
		return fmt.Sprintf("pod %s: %s", pod.Name, finding.Reason)
	}
	return ""
}

// Ended is the condition with which a Job has ended, nil as long as it has not.
func Ended(job *batchv1.Job) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			return c
		}
	}
	return nil
}
