package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// needed are the capabilities without which the engine takes no checkpoint.
var needed = []corev1.Capability{"SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "SETPCAP", "DAC_OVERRIDE"}

var agentWithoutCapabilities = Check{
	ID:   "agent-without-capabilities",
	Says: "the checkpoint agent lacks capabilities that CRIU needs",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			if !w.isAgent() || !w.template.Spec.HostPID {
				continue // an agent without the engine takes no checkpoints
			}
			lacking := slices.DeleteFunc(slices.Clone(needed), func(c corev1.Capability) bool { return hasCapability(&w.template.Spec, c) })
			if len(lacking) == 0 {
				continue
			}
			names := make([]string, 0, len(lacking))
			for _, c := range lacking {
				names = append(names, string(c))
			}
			out = append(out, Finding{
				At: w.Place, Seen: "its container has not got " + list(names), Next: kubectl(w.Namespace, "get", "daemonset", w.Name, "-o", "yaml"),
				breaks: append([]Place{w.Place}, s.podsOf(w)...),
			})
		}
		return out
	},
}

func hasCapability(spec *corev1.PodSpec, capability corev1.Capability) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		context := c.SecurityContext
		if context == nil {
			return false
		}
		if context.Privileged != nil && *context.Privileged {
			return true
		}
		return context.Capabilities != nil && (slices.Contains(context.Capabilities.Add, capability) || slices.Contains(context.Capabilities.Add, "ALL"))
	})
}

// preflight is what an agent logs of a check of its node.
type preflight struct {
	Says     string `json:"msg"`
	Node     string `json:"node"`
	Check    string `json:"check"`
	Required bool   `json:"required"`
	Passed   bool   `json:"passed"`
	Fix      string `json:"fix"`
}

var agentPreflight = Check{
	ID:   "agent-preflight",
	Says: "the node does not offer what checkpoints need",
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Pods {
			place := at("Pod", &s.Pods[i])
			for _, failed := range failedChecks(s.Logs[place]) {
				out = append(out, Finding{
					At: place, Says: fmt.Sprintf("the node fails the check %q of the checkpoint agent", failed.Check),
					Seen: fmt.Sprintf("node %s: %s; fix: %s", s.Pods[i].Spec.NodeName, failed.Says, failed.Fix),
					Next: kubectl(place.Namespace, "exec", place.Name, "-c", "agent", "--", "/chrek-agent", "preflight"), breaks: []Place{place},
				})
			}
		}
		return out
	},
}

// failedChecks are the required checks that a log says failed, each as it was last.
func failedChecks(log string) (out []preflight) {
	last := map[string]preflight{}
	var order []string
	for line := range strings.Lines(log) {
		var p preflight
		if json.Unmarshal([]byte(line), &p) != nil || p.Check == "" {
			continue
		}
		if _, before := last[p.Check]; !before {
			order = append(order, p.Check)
		}
		last[p.Check] = p
	}
	for _, name := range order {
		if p := last[name]; p.Required && !p.Passed {
			out = append(out, p)
		}
	}
	return out
}
