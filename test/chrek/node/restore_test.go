//go:build e2e

package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// TestAWorkerGoesOnInAnotherPod is the whole way, twice: the second checkpoint is of
// what was restored.
func TestAWorkerGoesOnInAnotherPod(t *testing.T) {
	stored := taken(t, source("first", "one"))
	await(t, "the process has got the answer", func() bool { return strings.Contains(ask(t, get(t, "first")).Signal, `"success":true`) })
	run(t, "delete", "pod", "first", "--grace-period=1", "--wait")

	second := target("second", worker, "one")
	second.Labels[protocol.LabelSource], second.Annotations[protocol.AnnotationArtifact] = "true", "two"
	apply(t, second)
	same(t, stored, "second")
	if c := condition(t, "second", protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Fatalf("Checkpointed: %+v", c)
	}
	gone(t, "second")

	apply(t, target("third", worker, "two"))
	same(t, stored, "third")
	ends(t, "third")
}

// same holds a restored worker against what was stored.
func same(t *testing.T, stored state, name string) {
	t.Helper()
	now := ready(t, name)
	c := condition(t, name, protocol.ConditionRestored)
	if c.Status != corev1.ConditionTrue || c.Reason != protocol.ReasonRestored {
		t.Fatalf("Restored: %+v", c)
	}
	t.Log(c.Message)
	if !slices.Equal(now.Found, []string{stored.Boot, stored.Boot}) {
		t.Errorf("%s has files of %q in its volumes, want those of %s", name, now.Found, stored.Boot)
	}
	if now.Boot != stored.Boot || now.Heap != stored.Heap || now.Count < stored.Count || now.PID != stored.PID {
		t.Errorf("%s is another process:\n%+v\nwant\n%+v", name, now, stored)
	}
	if now.Changed != stored.Changed || now.Volume != stored.Volume || now.Deleted != stored.Deleted || now.Shared != stored.Shared || !now.Gone {
		t.Errorf("%s has other files:\n%+v\nwant\n%+v", name, now, stored)
	}
	before, _ := strconv.Atoi(stored.Child)
	if after, err := strconv.Atoi(now.Child); err != nil || after <= before {
		t.Errorf("the child says %q, and said %q", now.Child, stored.Child)
	}
	if !now.Restored || now.Host != name {
		t.Errorf("%s does not know that it was restored, or where: %+v", name, now)
	}
	await(t, "new lines in the log of "+name, func() bool { return strings.Contains(run(t, "logs", name, "--tail=3"), "tick ") })
}

// gone deletes a restored pod: nothing of it is left on the node.
func gone(t *testing.T, name string) {
	t.Helper()
	p := get(t, name)
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	if !mentions(t, "cgroup", id) || !mentions(t, "mountinfo", string(p.UID)) || !cgroupOf(t, id) {
		t.Fatalf("no process, mount or cgroup of container %s was found", id)
	}
	run(t, "delete", "pod", name, "--grace-period=1", "--wait")
	noTrace(t, p)
}

// noTrace sees that nothing of a pod is left on the node.
func noTrace(t *testing.T, p *corev1.Pod) {
	t.Helper()
	name := p.Name
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	await(t, "no process of "+name, func() bool { return !mentions(t, "cgroup", id) })
	await(t, "no cgroup of "+name, func() bool {
		return !cgroupOf(t, id)
	})
	await(t, "no mount of "+name, func() bool { return !mentions(t, "mountinfo", string(p.UID)) })
}

// mentions reports whether a file of any process in /proc has a text.
func mentions(t *testing.T, file, text string) bool {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if content, err := os.ReadFile(path); err == nil && strings.Contains(string(content), text) {
			return true
		}
	}
	return false
}

// cgroupOf reports whether the machine has a cgroup of a container.
func cgroupOf(t *testing.T, id string) (found bool) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(_ string, entry fs.DirEntry, _ error) error { // groups come and go meanwhile
		found = found || entry != nil && strings.Contains(entry.Name(), id)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ends sees a restored worker end at once: the container ends with its exit code, and is
// not restored again only to end again.
func ends(t *testing.T, name string) {
	t.Helper()
	end(t, get(t, name).Status.PodIP)
	await(t, name+" has ended with the worker's exit code", func() bool {
		last := get(t, name).Status.ContainerStatuses[0].LastTerminationState.Terminated
		return last != nil && last.ExitCode == 7
	})
	await(t, name+" is refused", func() bool {
		c := condition(t, name, protocol.ConditionRestored)
		return c.Status == corev1.ConditionFalse && strings.Contains(c.Message, "with exit code 7")
	})
	if again := ready(t, name); again.Restored {
		t.Errorf("the container that was started again was restored: %+v", again)
	}
}
