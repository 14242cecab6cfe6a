package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
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
			found.Pod = pod
			best = found
		}
	}
	for _, c := range pod.Status.InitContainerStatuses {
		consider(explainContainer(c, Finding{Reason: fmt.Sprintf("init container %s is still running", c.Name), severity: starting}))
	}
	for _, c := range pod.Status.ContainerStatuses {
		consider(explainContainer(c, running(pod, c)))
	}
	return best
}

// running tells what a container that runs has not passed yet, and how long it
// may take.
func running(pod *corev1.Pod, c corev1.ContainerStatus) Finding {
	finding := Finding{Reason: fmt.Sprintf("container %s runs but is not ready yet", c.Name), severity: starting, probe: "Readiness"}
	at := slices.IndexFunc(pod.Spec.Containers, func(s corev1.Container) bool { return s.Name == c.Name })
	if at < 0 {
		return finding
	}
	if startup := pod.Spec.Containers[at].StartupProbe; startup != nil && (c.Started == nil || !*c.Started) {
		finding.Reason = fmt.Sprintf("container %s is starting, for which its startupProbe gives it %s", c.Name, duration.HumanDuration(budget(startup)))
		finding.probe = "Startup"
	}
	return finding
}

// budget is how long a probe may fail before the kubelet acts.
func budget(p *corev1.Probe) time.Duration {
	seconds := time.Duration(p.InitialDelaySeconds) + time.Duration(cmp.Or(p.PeriodSeconds, 10))*time.Duration(cmp.Or(p.FailureThreshold, 3))
	return seconds * time.Second
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
	// What is said of a claim ends with a sentence about claims of devices.
	if before, ok := strings.CutSuffix(message, ". not found"); ok {
		return before
	}
	return message
}

// explainContainer returns a finding without a pod, and without a reason if
// the container's status says nothing.
func explainContainer(c corev1.ContainerStatus, whileRunning Finding) Finding {
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
		return whileRunning
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
	return "CrashLoopBackOff: " + ending(container, end)
}

func ending(container string, end *corev1.ContainerStateTerminated) string {
	reason := fmt.Sprintf("container %s ended with exit code %d", container, end.ExitCode)
	if end.Reason != "" && end.Reason != "Error" && end.Reason != "Completed" {
		reason += " (" + end.Reason + ")"
	}
	// A message of the runtime, which could not start it, or what it said last.
	if said := end.Message; said != "" {
		if end.Reason != "StartError" && end.Reason != "ContainerCannotRun" {
			said = lastLine(said)
		}
		reason += ": " + steady(said)
	}
	return reason
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
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
