//go:build e2e

package node

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// workload is a kind of pod. Its change is made to source and target alike.
type workload struct {
	image   string
	command []string
	change  func(*corev1.Pod)
}

var workloads = map[string]workload{
	"python": {python, []string{"/usr/bin/python3.11", "/app/worker.py"}, func(p *corev1.Pod) { p.Spec.Containers[0].Env[0].Value = "64" }},
	"non-root": {worker, []string{"/worker"}, func(p *corev1.Pod) {
		p.Spec.Containers[0].SecurityContext.RunAsUser, p.Spec.Containers[0].SecurityContext.RunAsNonRoot = ptr.To(int64(1000)), ptr.To(true)
	}},
	"sidecar": {worker, []string{"/worker"}, func(p *corev1.Pod) {
		beside := p.Spec.Containers[0].DeepCopy()
		beside.Name, beside.Command, beside.ReadinessProbe = "sidecar", []string{"/worker", "sidecar"}, nil
		p.Spec.Containers = append(p.Spec.Containers, *beside)
	}},
}

// TestOtherWorkersGoOn: a program of Python, one that is not root's, and one that has a
// container beside it.
func TestOtherWorkersGoOn(t *testing.T) {
	for name, w := range workloads {
		t.Run(name, func(t *testing.T) {
			from := pod(name, w.image, w.command)
			w.change(from)
			from.Annotations[protocol.AnnotationArtifact] = name
			stored := taken(t, from)
			var beside string
			if name == "sidecar" {
				beside = askAt(t, get(t, name), sidecarPort).Boot
			}
			run(t, "delete", "pod", name, "--grace-period=1", "--wait")

			heir := name + "-heir"
			to := target(heir, w.image, name)
			to.Spec.Containers[0].Command = protocol.Placeholder(w.command)
			w.change(to)
			if name == "sidecar" {
				to.Spec.Containers[1].Command = []string{"/worker", "sidecar"}
			}
			apply(t, to)
			same(t, stored, heir)
			if name == "sidecar" {
				if now := askAt(t, get(t, heir), sidecarPort).Boot; now == beside {
					t.Errorf("the container beside it is %s, as before", now)
				}
				if c := condition(t, heir, protocol.ConditionRestored); !strings.Contains(c.Message, "started anew beside it: sidecar") {
					t.Errorf("Restored: %+v", c)
				}
			}
			gone(t, heir)
		})
	}
}
