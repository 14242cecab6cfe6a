package diagnose

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestJob(t *testing.T) {
	for name, tc := range map[string]struct{ pods, want string }{
		"no pods":   {"[]", ""},
		"it runs":   {"[{metadata: {name: a}, status: {phase: Running, containerStatuses: [{name: main, image: x, imageID: '', ready: true, restartCount: 0, state: {running: {}}}]}}]", ""},
		"it ended":  {"[{metadata: {name: a}, status: {phase: Succeeded}}]", ""},
		"evicted":   {"[{metadata: {name: a}, status: {phase: Failed, reason: Evicted, message: disk}}]", "pod a: Evicted: disk"},
		"no room":   {"[{metadata: {name: a}, status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: full}]}}]", "pod a: Unschedulable: full"},
		"the last":  {"[{metadata: {name: a, creationTimestamp: '2026-01-01T00:00:00Z'}, status: {phase: Failed, reason: Evicted, message: disk}}, {metadata: {name: b, creationTimestamp: '2026-01-02T00:00:00Z'}, status: {phase: Failed, initContainerStatuses: [{name: profiler, image: x, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]}}]", "pod b: container profiler ended with exit code 137 (OOMKilled)"},
		"last line": {"[{metadata: {name: a}, status: {phase: Failed, containerStatuses: [{name: main, image: x, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 1, reason: Error, message: \"one\\ntwo\\n\"}}}]}}]", "pod a: container main ended with exit code 1: two"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Job(parse[[]corev1.Pod](t, tc.pods)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
