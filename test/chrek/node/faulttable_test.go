//go:build e2e

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// TestFaults disturbs dumps and restores. A worker whose dump is disturbed goes on, and a
// further try succeeds; one whose restore is disturbed is the stored one or starts anew,
// with the reason in its status. Nobody ever sees a part of an artifact. A table of what
// was tried and what was survived comes last.
func TestFaults(t *testing.T) {
	var table strings.Builder
	tried, survived := 0, 0
	try := func(fault string, test func(t *testing.T)) {
		held := t.Run(fault, func(t *testing.T) {
			test(t)
			noParts(t)
		})
		tried++
		if held {
			survived++
		}
		fmt.Fprintf(&table, "%-55s %t\n", fault, held)
	}
	for step, reached := range dumpSteps {
		try("the agent is killed in a dump: "+step, func(t *testing.T) { killedInDump(t, reached) })
	}
	try("the storage is full", storageIsFull)
	try("CRIU hangs in a dump", hangsInDump)
	try("the draft vanishes in a dump", func(t *testing.T) {
		fails(t, "vanishes", func(draft string) bool {
			must(t, os.RemoveAll(draft))
			return true
		})
	})
	try("the API server is down in a dump", apiServerIsDown)

	stored := storedBig(t)
	for fault, test := range restoreFaults {
		try(fault, func(t *testing.T) { test(t, stored) })
	}
	t.Logf("tried %d, survived %d\n%s", tried, survived, table.String())
}

// dumpSteps are moments of a dump, by what its draft has.
var dumpSteps = map[string]func(draft string) bool{
	"as it begins":              func(string) bool { return true },
	"as memory is written":      func(draft string) bool { return has(draft, "pages-*.img") },
	"as files are written":      func(draft string) bool { return has(draft, "layer-0.tar") },
	"before it takes its place": func(draft string) bool { return has(draft, "manifest.json") },
}

func has(draft, name string) bool {
	found, err := filepath.Glob(filepath.Join(draft, name))
	return err == nil && len(found) > 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// big is a worker whose dump takes a while.
func big(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.Containers[0].Env[0].Value = "512"
	return pod
}

// during has a source dumped, and does something at a moment of it. A moment that passed
// unseen is none: the dump is over then, and nothing was done.
func during(t *testing.T, name string, reached func(draft string) bool, do func(draft string)) {
	t.Helper()
	defer watchClosely(t)()
	apply(t, big(source(name, name)))
	var draft string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		drafts, err := filepath.Glob(filepath.Join(store, team, ".new@*"))
		must(t, err)
		if len(drafts) == 0 && draft != "" {
			return
		}
		if len(drafts) > 0 {
			if draft = drafts[0]; reached(draft) {
				do(draft)
				return
			}
		}
	}
	t.Fatal("no dump was begun")
}

// tries bounds how often a moment may pass unseen.
const tries = 5

// watchClosely lets this goroutine run before what it watches, until what it returns is called.
func watchClosely(t *testing.T) (enough func()) {
	t.Helper()
	runtime.LockOSThread() // priorities are a thread's
	must(t, unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -15))
	return func() {
		must(t, unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 0))
		runtime.UnlockOSThread()
	}
}

// lives sees that a worker is the one that was started, and works.
func lives(t *testing.T, name string) {
	t.Helper()
	before := ready(t, name)
	await(t, name+" goes on", func() bool { return ask(t, get(t, name)).Count > before.Count })
	if n := get(t, name).Status.ContainerStatuses[0].RestartCount; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func killedInDump(t *testing.T, reached func(string) bool) {
	name := "killed"
	t.Cleanup(func() { must(t, os.RemoveAll(filepath.Join(store, team, name))) })
	during(t, name, reached, func(string) { killAgent(t) })
	if c := condition(t, name, protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Errorf("Checkpointed: %+v", c)
	}
	lives(t, name)
}

// fails has a dump fail as memory is written: its worker goes on, and a further one
// succeeds. disturb reports whether it came in time; if not, another worker's dump is tried.
func fails(t *testing.T, artifact string, disturb func(draft string) bool) corev1.PodCondition {
	t.Helper()
	var name string
	for try := range tries {
		name = fmt.Sprintf("%s-%d", artifact, try)
		inTime := false
		during(t, name, dumpSteps["as memory is written"], func(draft string) { inTime = disturb(draft) })
		if inTime {
			return failed(t, name)
		}
		condition(t, name, protocol.ConditionCheckpointed)
		run(t, "delete", "pod", name, "--grace-period=1", "--wait")
		must(t, os.RemoveAll(filepath.Join(store, team, name)))
	}
	t.Fatalf("the dump of %s was over before anything could be done", name)
	return corev1.PodCondition{}
}

// failed sees that a dump has failed, and that its worker goes on.
func failed(t *testing.T, name string) corev1.PodCondition {
	t.Helper()
	c := condition(t, name, protocol.ConditionCheckpointed)
	if c.Status != corev1.ConditionFalse || c.Reason != protocol.ReasonFailed {
		t.Errorf("Checkpointed: %+v", c)
	}
	lives(t, name)
	if _, err := os.Stat(filepath.Join(store, team, name)); err == nil {
		t.Error("there is an artifact")
	}
	return c
}

func again(t *testing.T, name string) {
	t.Helper()
	apply(t, source("again-"+name, name))
	if c := condition(t, "again-"+name, protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Errorf("a further try: %+v", c)
	}
}

func storageIsFull(t *testing.T) {
	filler := filepath.Join(store, "filler")
	var free unix.Statfs_t
	must(t, unix.Statfs(store, &free))
	file, err := os.Create(filler)
	must(t, err)
	defer func() { _ = os.Remove(filler) }()
	must(t, unix.Fallocate(int(file.Fd()), 0, 0, int64(free.Bavail)*free.Bsize-100<<20))
	must(t, file.Close())
	if c := fails(t, "full", func(string) bool { return true }); !strings.Contains(c.Message, "o space left") {
		t.Errorf("Checkpointed: %+v", c)
	}
	must(t, os.Remove(filler))
	again(t, "full")
}

// hangsInDump stops CRIU while the process stands still: the deadline ends it.
func hangsInDump(t *testing.T) {
	c := fails(t, "hangs", func(string) bool { return signalAll(t, isCRIU, unix.SIGSTOP) })
	if !strings.Contains(c.Message, "took longer than") {
		t.Errorf("Checkpointed: %+v", c)
	}
	again(t, "hangs")
}

// stopAPIServer has it answer nobody for a while.
func stopAPIServer(t *testing.T) {
	t.Helper()
	server := processes(t, func(line string) bool {
		return strings.Contains(line, "kube-apiserver\x00") && strings.Contains(line, "/clusters/"+node+"/")
	})
	if len(server) != 1 {
		t.Fatalf("API servers: %v", server)
	}
	must(t, unix.Kill(server[0], unix.SIGSTOP))
	time.Sleep(8 * time.Second)
	must(t, unix.Kill(server[0], unix.SIGCONT))
}

func apiServerIsDown(t *testing.T) {
	during(t, "down", dumpSteps["as memory is written"], func(string) {
		stopAPIServer(t)
	})
	if c := condition(t, "down", protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Errorf("Checkpointed: %+v", c)
	}
	lives(t, "down")
}

// noParts sees that all that is stored is whole, and that no draft stays.
func noParts(t *testing.T) {
	t.Helper()
	await(t, "no draft is left", func() bool { return !has(filepath.Join(store, team), ".*") })
	all, err := os.ReadDir(filepath.Join(store, team))
	must(t, err)
	for _, entry := range all {
		if !has(filepath.Join(store, team, entry.Name()), "manifest.json") {
			t.Errorf("%s is a part of an artifact", entry.Name())
		}
	}
}

// signalAll sends a signal to what is meant, if it still works, and reports whether it does.
func signalAll(t *testing.T, meant func(line string) bool, signal unix.Signal) bool {
	t.Helper()
	found := processes(t, meant)
	for _, pid := range found {
		if err := unix.Kill(pid, signal); err != nil && err != unix.ESRCH {
			t.Fatal(err)
		}
	}
	return len(found) > 0
}
