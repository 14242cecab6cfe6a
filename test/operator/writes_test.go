package operator

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// mostStatuses is how often the status of one object may be written from its
// creation until it is ready: that there is something to wait for, what that
// is, and that it is over.
const mostStatuses = 3

// tally counts by name.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[name]++
}

func (c *tally) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// TestAStatusIsWrittenForWhatAPersonWouldNotice starts graphs as a kubelet does. A
// restart of the operator writes none: see TestAGraphBecomesReadyAndThenNothingIsWritten.
func TestAStatusIsWrittenForWhatAPersonWouldNotice(t *testing.T) {
	ns := namespace(t)
	operator := start(t, within(ns))
	// On a busy machine, what comes at once elsewhere is seen in steps.
	var tooOften map[string]int
	for attempt := range 6 {
		before := operator.statuses.all()
		startSlowly(t, ns, fmt.Sprintf("chat%d", attempt))
		tooOften = map[string]int{}
		for path, n := range operator.statuses.all() {
			if n -= before[path]; n > mostStatuses {
				tooOften[path] = n
			}
		}
		if len(tooOften) == 0 {
			return
		}
	}
	t.Errorf("statuses written more than %d times until ready: %v", mostStatuses, tooOften)
}

// startSlowly creates a graph and waits until it is ready. Its pods take longer
// for each step than a status waits for others.
func startSlowly(t *testing.T, namespace, name string) {
	t.Helper()
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, namespace, chat)
	dgd.Name = name
	create(t, dgd)
	creating := corev1.PodStatus{Phase: corev1.PodPending, Conditions: running.Conditions[:1]}
	starting := corev1.PodStatus{
		Phase:             corev1.PodRunning,
		Conditions:        []corev1.PodCondition{running.Conditions[0], {Type: corev1.PodReady, Status: corev1.ConditionFalse}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
	}
	for _, status := range []corev1.PodStatus{creating, starting, running} {
		for _, component := range []string{name + "-frontend", name + "-worker"} {
			setStatus(t, namespace, component, status)
		}
		time.Sleep(2 * time.Second)
	}
	condition(t, namespace, name, isReady)
}
