package doctor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
)

// waiting are the containers of a pod that wait, those of its beginning included.
func waiting(pod *corev1.Pod) (out []corev1.ContainerStatus) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Waiting != nil {
			out = append(out, c)
		}
	}
	return out
}

var unpulled = []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}

var imageNotPulled = Check{
	ID:   "image-not-pulled",
	Says: "an image cannot be pulled",
	Find: func(s *Snapshot) []Finding {
		found := map[string]*Finding{} // by namespace and image
		for i := range s.Pods {
			pod := &s.Pods[i]
			if over(pod) {
				continue
			}
			for _, c := range waiting(pod) {
				if !slices.Contains(unpulled, c.State.Waiting.Reason) {
					continue
				}
				key := pod.Namespace + " " + c.Image
				place := at("Pod", pod)
				if found[key] == nil {
					reason := strings.TrimSpace(c.State.Waiting.Reason + ": " + pullCause(s, place, c.State.Waiting.Message))
					found[key] = &Finding{
						At: place, Says: fmt.Sprintf("the image %q cannot be pulled", c.Image), Seen: reason, Next: place.describe(),
					}
				}
				found[key].breaks = append(found[key].breaks, place)
			}
		}
		return ordered(found)
	},
}

// ordered are findings by their keys.
func ordered(found map[string]*Finding) (out []Finding) {
	for _, key := range slices.Sorted(maps.Keys(found)) {
		out = append(out, *found[key])
	}
	return out
}

// pullCause prefers what the registry answered to the kubelet's waiting.
func pullCause(s *Snapshot, pod Place, message string) string {
	if !strings.HasPrefix(message, "Back-off") && message != "" {
		return message
	}
	for _, e := range s.warnings(pod) {
		if e.Reason == "Failed" && strings.Contains(e.Message, "ailed to pull image") || e.Reason == "FailedToRetrieveImagePullSecret" {
			return e.Message
		}
	}
	return message
}

// seccompTrouble is how runtimes say that a profile is not on the node.
var seccompTrouble = regexp.MustCompile(`(?i)seccomp`)

var seccompMissing = Check{
	ID:   "seccomp-missing",
	Says: "the seccomp profile that the pod names is not on its node; the checkpoint agent puts it there",
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Pods {
			pod := &s.Pods[i]
			if over(pod) || ready(pod) || !localProfile(&pod.Spec) {
				continue
			}
			place := at("Pod", pod)
			var said string
			for _, c := range waiting(pod) {
				if seccompTrouble.MatchString(c.State.Waiting.Message) {
					said = c.State.Waiting.Reason + ": " + c.State.Waiting.Message
				}
			}
			for _, e := range s.warnings(place) {
				if said == "" && seccompTrouble.MatchString(e.Message) {
					said = e.Reason + ": " + e.Message
				}
			}
			if said == "" {
				continue
			}
			out = append(out, Finding{
				At: place, Seen: fmt.Sprintf("node %s: %s", pod.Spec.NodeName, said), Next: kubectl(s.agentsNamespace(pod.Namespace), "get", "pods", "-l", marks.Agents, "-o", "wide"),
				breaks: []Place{place},
			})
		}
		return out
	},
}

// agentsNamespace is where the agent is: here, or where one was found.
func (s *Snapshot) agentsNamespace(here string) string {
	for _, w := range s.workloads() {
		if w.isAgent() {
			return w.Namespace
		}
	}
	return here
}

func localProfile(spec *corev1.PodSpec) bool {
	local := func(p *corev1.SeccompProfile) bool { return p != nil && p.Type == corev1.SeccompProfileTypeLocalhost }
	if spec.SecurityContext != nil && local(spec.SecurityContext.SeccompProfile) {
		return true
	}
	return slices.ContainsFunc(slices.Concat(spec.InitContainers, spec.Containers), func(c corev1.Container) bool {
		return c.SecurityContext != nil && local(c.SecurityContext.SeccompProfile)
	})
}

var podNotReady = Check{
	ID:      "pod-not-ready",
	Follows: true,
	Says:    "the pod is not ready",
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Pods {
			pod := &s.Pods[i]
			if over(pod) || ready(pod) {
				continue
			}
			place := at("Pod", pod)
			found := diagnose.Blocking([]corev1.Pod{*pod})
			if found == nil {
				continue
			}
			if found.AsksEvents() {
				*found = found.Told(s.warnings(place))
			}
			if found.Reason == "" {
				continue
			}
			f := Finding{At: place, Seen: found.Reason, Next: place.describe()}
			if strings.HasPrefix(found.Reason, "CrashLoopBackOff") {
				f.Next = kubectl(pod.Namespace, "logs", pod.Name, "--all-containers", "--previous", "--tail=20")
			}
			if owner := s.ownerOf(pod); owner.Name != "" {
				f.breaks = []Place{owner}
			}
			out = append(out, f)
		}
		return out
	},
}

var workloadNotReady = Check{
	ID:      "workload-not-ready",
	Follows: true,
	Says:    "it has fewer ready pods than it wants",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			if w.ready >= w.wanted || w.lostQuorum() {
				continue
			}
			f := Finding{
				At: w.Place, Says: fmt.Sprintf("%s has fewer ready pods than it wants", w.what()), Seen: fmt.Sprintf("%d of %d ready", w.ready, w.wanted),
				Next: w.describe(),
			}
			if w.refused != "" && !quotaName.MatchString(w.refused) && !forbidding.MatchString(w.refused) {
				f.Seen += "; " + w.refused
			}
			f.breaks = append(f.breaks, s.behind(w)...)
			out = append(out, f)
		}
		return out
	},
}

// behind are the Services that answer by the pods of a workload.
func (s *Snapshot) behind(w workload) (out []Place) {
	for i := range s.Services {
		service := &s.Services[i]
		if service.Namespace == w.Namespace && len(service.Spec.Selector) > 0 && carries(w.template.Labels, service.Spec.Selector) {
			out = append(out, at("Service", service))
		}
	}
	return out
}
