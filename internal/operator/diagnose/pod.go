package diagnose

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Severities, from "wait" to "somebody must act".
const (
	starting = iota
	silent
	unscheduled
	broken
)

func explain(pod *corev1.Pod) Finding {
	if reason := unschedulable(pod); reason != "" {
		return Finding{Pod: pod, Reason: reason, severity: unscheduled}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return Finding{Pod: pod, Reason: joinReason(firstOf(pod.Status.Reason, "Failed"), pod.Status.Message), severity: broken}
	}
	best := Finding{Pod: pod, severity: silent}
	consider := func(found Finding) {
		if found.severity > best.severity || best.Reason == "" && found.Reason != "" {
			best.Reason, best.severity = found.Reason, found.severity
		}
	}
	for _, c := range pod.Status.InitContainerStatuses {
		consider(explainContainer(c, fmt.Sprintf("init container %s is still running", c.Name)))
	}
	for _, c := range pod.Status.ContainerStatuses {
		consider(explainContainer(c, fmt.Sprintf("container %s runs but is not ready yet", c.Name)))
	}
	return best
}

func unschedulable(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
			continue
		}
		return joinReason(firstOf(c.Reason, corev1.PodReasonUnschedulable), schedulerMessage(c.Message))
	}
	return ""
}

// schedulerMessage leaves out what the scheduler tried after it found no node.
func schedulerMessage(message string) string {
	for _, afterwards := range []string{" preemption: ", " no new claims to deallocate"} {
		message, _, _ = strings.Cut(message, afterwards)
	}
	return message
}

// explainContainer returns a finding without a pod, and without a reason if
// the container's status says nothing.
func explainContainer(c corev1.ContainerStatus, whileRunning string) Finding {
	if c.Ready || finished(c.State.Terminated) {
		return Finding{}
	}
	if waiting := c.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff":
			return Finding{Reason: "ImagePullBackOff: " + imagePull(c, waiting.Message), severity: broken}
		case "CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull":
			return Finding{Reason: joinReason(waiting.Reason, waiting.Message), severity: broken}
		}
	}
	// While a container crashes it is waiting, running and terminated in turn;
	// what stays is how it ended last.
	if end := lastEnd(c); end != nil {
		return Finding{Reason: crash(c.Name, end), severity: broken}
	}
	if waiting := c.State.Waiting; waiting != nil && (waiting.Reason == "CreateContainerError" || waiting.Reason == "RunContainerError") {
		return Finding{Reason: joinReason(waiting.Reason, waiting.Message), severity: broken}
	}
	if c.State.Running != nil {
		return Finding{Reason: whileRunning, severity: starting}
	}
	return Finding{}
}

func finished(end *corev1.ContainerStateTerminated) bool {
	return end != nil && end.ExitCode == 0
}

// lastEnd is the failure that the container last ended with.
func lastEnd(c corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	for _, end := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
		if end != nil && (end.ExitCode != 0 || c.RestartCount > 0) {
			return end
		}
	}
	return nil
}

func crash(container string, end *corev1.ContainerStateTerminated) string {
	reason := fmt.Sprintf("CrashLoopBackOff: container %s ended with exit code %d", container, end.ExitCode)
	if end.Reason != "" && end.Reason != "Error" && end.Reason != "Completed" {
		reason += " (" + end.Reason + ")"
	}
	// Only a container that could not be started has a message of the runtime.
	if end.Reason == "StartError" || end.Reason == "ContainerCannotRun" {
		reason += ": " + steady(end.Message)
	}
	return reason
}

// imagePull: the kubelet alternates between the failure and the wait after it,
// and wraps the failure's message in the latter.
func imagePull(c corev1.ContainerStatus, message string) string {
	if _, cause, wrapped := strings.Cut(message, "ErrImagePull: "); wrapped {
		message = cause
	}
	image := fmt.Sprintf("image %q", c.Image)
	if message == "" || strings.HasPrefix(message, "Back-off pulling image") {
		return image + " cannot be pulled"
	}
	return image + " cannot be pulled: " + steady(message)
}

func joinReason(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + steady(message)
}

func lastSeen(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}
