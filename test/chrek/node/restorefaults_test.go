//go:build e2e

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// restoreFaults are what happens while CRIU works in a pod, by what is told of it.
var restoreFaults = map[string]func(t *testing.T, stored state){
	"the agent is killed in a restore":                   killedInRestore,
	"CRIU is killed in a restore":                        criuIsKilledInRestore,
	"CRIU hangs in a restore":                            hangsInRestore,
	"the artifact vanishes in a restore":                 vanishesInRestore,
	"the pod is deleted in a restore":                    deletedInRestore,
	"the container that waits is killed while it waits":  waitingIsKilled,
	"the container that waits is killed in a restore":    killedWhileRestored,
	"the API server is down while a restore is prepared": apiServerIsDownInRestore,
}

// storedBig stores a worker whose restore takes a while.
func storedBig(t *testing.T) state {
	t.Helper()
	stored := taken(t, big(source("stored", "stored")))
	run(t, "delete", "pod", "stored", "--grace-period=1", "--wait")
	return stored
}

// whileRestored has a pod restored, and holds CRIU at work in it for as long as something
// is done.
func whileRestored(t *testing.T, do func(name string)) (name string) {
	t.Helper()
	return whileAtWork(t, "stored", isCRIU, do)
}

// isEntering knows what is about to put files into a pod.
func isEntering(line string) bool { return line == "/chrek-agent\x00criu-helper\x00enter\x00" }

// whileAtWork holds what is meant. A restore in which it passed unseen is none, and another
// one is tried.
func whileAtWork(t *testing.T, artifact string, meant func(line string) bool, do func(name string)) (name string) {
	t.Helper()
	defer watchClosely(t)()
	for try := range tries {
		name = fmt.Sprintf("heir-%s-%d", strings.ToLower(artifact), try)
		apply(t, big(target(name, worker, artifact)))
		for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
			if signalAll(t, meant, unix.SIGSTOP) {
				do(name)
				signalAll(t, meant, unix.SIGCONT)
				return name
			}
			if over(t, name) {
				break
			}
		}
		run(t, "delete", "pod", name, "--grace-period=1", "--wait")
	}
	t.Fatal("CRIU was not seen at work")
	return ""
}

// over asks now and then whether a pod's restore has ended.
func over(t *testing.T, name string) bool {
	if time.Now().UnixMilli()%1000 > 50 {
		return false
	}
	c := protocol.Condition(get(t, name), protocol.ConditionRestored)
	return c != nil && c.Status != corev1.ConditionUnknown
}

// says sees that the process is what the status says: the stored one, or one that was
// started anew, for that reason.
func says(t *testing.T, name string, stored state, reason string) {
	t.Helper()
	c := condition(t, name, protocol.ConditionRestored)
	if c.Status == corev1.ConditionTrue {
		same(t, stored, name)
		return
	}
	if c.Reason != protocol.ReasonFailed || !strings.Contains(c.Message, reason) {
		t.Errorf("Restored: %+v, want %q", c, reason)
	}
	anew(t, name, stored)
	if n := get(t, name).Status.ContainerStatuses[0].RestartCount; n != 1 {
		t.Errorf("%d restarts, want one", n)
	}
}

// restores sees that a further restore succeeds.
func restores(t *testing.T, stored state) {
	t.Helper()
	apply(t, big(target("further", worker, "stored")))
	same(t, stored, "further")
	run(t, "delete", "pod", "further", "--grace-period=1", "--wait")
}

func killedInRestore(t *testing.T, stored state) {
	name := whileRestored(t, func(string) { killAgent(t) })
	says(t, name, stored, "the agent ended while it restored")
	restores(t, stored)
}

func criuIsKilledInRestore(t *testing.T, stored state) {
	name := whileRestored(t, func(string) { signalAll(t, isCRIU, unix.SIGKILL) })
	says(t, name, stored, "")
	restores(t, stored)
}

// hangsInRestore stops CRIU until the deadline ends it.
func hangsInRestore(t *testing.T, stored state) {
	name := whileRestored(t, func(name string) {
		if c := condition(t, name, protocol.ConditionRestored); c.Status != corev1.ConditionFalse {
			t.Errorf("Restored: %+v", c)
		}
	})
	says(t, name, stored, "took longer than")
	restores(t, stored)
}

func vanishesInRestore(t *testing.T, stored state) {
	copyArtifact(t, "stored", "vanishing")
	name := whileAtWork(t, "vanishing", isEntering, func(string) { must(t, os.RemoveAll(filepath.Join(store, team, "vanishing"))) })
	says(t, name, stored, "no such file")
	restores(t, stored)
}

// deletedInRestore: nothing of the pod is left, and the agent goes on.
func deletedInRestore(t *testing.T, stored state) {
	var pod *corev1.Pod
	name := whileRestored(t, func(name string) {
		pod = get(t, name)
		run(t, "delete", "pod", name, "--grace-period=1", "--wait=false")
		time.Sleep(time.Second)
	})
	run(t, "wait", "--for=delete", "pod/"+name, "--timeout=120s")
	noTrace(t, pod)
	restores(t, stored)
}

// killedWhileRestored: the first process ends, and CRIU with it.
func killedWhileRestored(t *testing.T, stored state) {
	name := whileRestored(t, func(name string) { must(t, unix.Kill(first(t, name), unix.SIGKILL)) })
	c := condition(t, name, protocol.ConditionRestored)
	if c.Status != corev1.ConditionFalse || c.Message == "" {
		t.Errorf("Restored: %+v", c)
	}
	anew(t, name, stored)
	restores(t, stored)
}

// waitingIsKilled: another container takes its place, and is restored.
func waitingIsKilled(t *testing.T, stored state) {
	agents := processes(t, func(line string) bool { return line == "/chrek-agent\x00" })
	if len(agents) != 1 {
		t.Fatalf("agents: %v", agents)
	}
	must(t, unix.Kill(agents[0], unix.SIGSTOP))
	apply(t, big(target("waits", worker, "stored")))
	run(t, "wait", "--for=jsonpath={.status.containerStatuses[0].state.running}", "pod/waits", "--timeout=120s")
	must(t, unix.Kill(first(t, "waits"), unix.SIGKILL))
	must(t, unix.Kill(agents[0], unix.SIGCONT))
	same(t, stored, "waits")
}

// apiServerIsDownInRestore: the pod is restored, and the outcome is said later.
func apiServerIsDownInRestore(t *testing.T, stored state) {
	name := whileRestored(t, func(string) { stopAPIServer(t) })
	same(t, stored, name)
}

// first is the number of the first process of a pod's container.
func first(t *testing.T, name string) int {
	t.Helper()
	_, id, _ := strings.Cut(get(t, name).Status.ContainerStatuses[0].ContainerID, "://")
	for _, pid := range processes(t, func(line string) bool { return strings.HasPrefix(line, "/chrek/init\x00") }) {
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err == nil && strings.Contains(string(groups), id) {
			return pid
		}
	}
	t.Fatalf("container %s has no process that waits", id)
	return 0
}
