// Package diagnose says in one sentence why a workload is not ready. It is
// pure, and its sentences are stable: the same cause gives the same words, with
// no counters, times or random names that would make a status change, and be
// written, again and again.
package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Deployment reports whether a Deployment runs as its current spec wants, with
// no replica of an older spec left, and if not, what it waits for.
func Deployment(d *appsv1.Deployment) (ready bool, waiting string) {
	desired := int32(1)
	if d.Spec.Replicas != nil {
		desired = *d.Spec.Replicas
	}
	s := d.Status
	count := fmt.Sprintf("%d/%d ready", min(s.ReadyReplicas, desired), desired)
	// While it updates, pods of the old revision count as ready, too.
	if old := s.Replicas - s.UpdatedReplicas; old > 0 && s.UpdatedReplicas <= desired {
		count = fmt.Sprintf("updating, %d/%d ready, %d of the previous revision", min(s.ReadyReplicas, desired), desired, old)
	}
	switch {
	case s.ObservedGeneration == 0: // it is new
		return false, count
	case s.ObservedGeneration < d.Generation:
		return false, "the Deployment's latest change has not been acted upon yet"
	case d.Spec.Paused:
		return false, count + ": the Deployment is paused"
	case s.UpdatedReplicas < desired, s.AvailableReplicas < desired, s.ReadyReplicas < desired:
		return false, count
	case s.Replicas > desired:
		return false, count
	}
	return true, count
}

// CannotCreatePods returns why the API server refuses a Deployment's pods, ""
// if it does not.
func CannotCreatePods(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return advised("pods cannot be created: " + steady(c.Message))
		}
	}
	return ""
}

// Finding is one pod that is not ready, and why.
type Finding struct {
	Pod *corev1.Pod
	// Reason is "" when the pod's status does not tell.
	Reason string
	// severity orders findings: what needs a person comes first.
	severity int
	// probe that a running container has not passed: "Startup" or "Readiness".
	probe string
}

// AsksEvents reports whether the pod's events may tell more than its status.
func (f Finding) AsksEvents() bool { return f.Reason == "" || f.probe != "" }

// NeedsAPerson reports whether waiting does not help, as far as one can tell.
func (f Finding) NeedsAPerson() bool { return f.severity >= unscheduled }

// Told adds what the pod's events tell to what its status says.
func (f Finding) Told(events []corev1.Event) Finding {
	switch {
	case f.probe != "":
		if answer := lastFailure(events, f.probe); answer != "" {
			f.Reason += "; " + answer
		}
	case f.Reason == "":
		if f.Reason = Warning(events); f.Reason != "" {
			f.severity = broken
		}
	}
	return f
}

// In is the finding as the trouble of a Deployment, "" if it tells nothing: a new
// pod for which there is no room while old ones run will never find any.
func (f Finding) In(d *appsv1.Deployment) string {
	old := d.Status.Replicas > d.Status.UpdatedReplicas
	if f.severity == unscheduled && old && d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		return fmt.Sprintf("pod %s: %s; there is no room for the old and the new pod at once: set the annotation %s: %s on the service",
			f.Pod.Name, f.Reason, v1alpha1.AnnotationDeploymentStrategy, appsv1.RecreateDeploymentStrategyType)
	}
	return f.String()
}

func (f Finding) String() string {
	if f.Reason == "" {
		return ""
	}
	return advised(fmt.Sprintf("pod %s: %s", f.Pod.Name, f.Reason))
}

// Blocking picks, among a workload's pods, the one that best explains why the
// workload is not ready: a pod of the newest revision, and of those the one
// with the most serious trouble. It returns nil if no pod is to blame.
func Blocking(pods []corev1.Pod) *Finding {
	newest := newestRevision(pods)
	var findings []Finding
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || revision(pod) != newest || isReady(pod) {
			continue
		}
		findings = append(findings, explain(pod))
	}
	if len(findings) == 0 {
		return nil
	}
	worst := slices.MinFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(a.Pod.Name, b.Pod.Name))
	})
	return &worst
}

func newestRevision(pods []corev1.Pod) string {
	if len(pods) == 0 {
		return ""
	}
	newest := slices.MaxFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	return revision(&newest)
}

func revision(pod *corev1.Pod) string {
	return pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// lastFailure is what a probe was answered last, "" if the events do not tell.
func lastFailure(events []corev1.Event, probe string) string {
	events = slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool {
		return e.Reason != "Unhealthy" || !strings.HasPrefix(e.Message, probe+" probe")
	})
	if len(events) == 0 {
		return ""
	}
	latest := slices.MaxFunc(events, func(a, b corev1.Event) int {
		return cmp.Or(lastSeen(a).Compare(lastSeen(b)), cmp.Compare(a.Name, b.Name))
	})
	return strings.ToLower(latest.Message[:1]) + steady(latest.Message)[1:]
}

// Warning picks the event that explains a pod whose status is silent, "" if
// there is none. A failure with a cause is preferred to the time-out that
// follows from it.
func Warning(events []corev1.Event) string {
	events = slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool {
		return e.Type != corev1.EventTypeWarning || e.Message == ""
	})
	if len(events) == 0 {
		return ""
	}
	latest := slices.MaxFunc(events, func(a, b corev1.Event) int {
		return cmp.Or(
			cmp.Compare(causality(a), causality(b)),
			lastSeen(a).Compare(lastSeen(b)),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return latest.Reason + ": " + steady(latest.Message)
}

func causality(e corev1.Event) int {
	if strings.Contains(e.Message, "deadline exceeded") || strings.Contains(e.Message, "timed out") {
		return 0
	}
	return 1
}

var (
	// Container, sandbox and volume ids differ from one attempt to the next.
	longHex    = regexp.MustCompile(`\b[0-9a-f]{12,}\b`)
	uuid       = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	quotedPod  = regexp.MustCompile(`pods "[^"]*"`)
	retryDelay = regexp.MustCompile(`back-off \S+ `)
	whitespace = regexp.MustCompile(`\s+`)
)

const longest = 300

// steady strips from a message what changes without the cause changing.
func steady(message string) string {
	message = uuid.ReplaceAllString(message, "…")
	message = longHex.ReplaceAllString(message, "…")
	message = quotedPod.ReplaceAllString(message, "pods")
	message = retryDelay.ReplaceAllString(message, "back-off ")
	message = strings.TrimSpace(whitespace.ReplaceAllString(message, " "))
	if runes := []rune(message); len(runes) > longest {
		message = string(runes[:longest-1]) + "…"
	}
	return message
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
