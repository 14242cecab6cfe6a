//go:build e2e

package node

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// TestWhatBlocksIsSaidAndHurtsNobody: the process never stood still, and knows why.
func TestWhatBlocksIsSaidAndHurtsNobody(t *testing.T) {
	watches := source("watches", "watches")
	watches.Spec.Containers[0].Env = append(watches.Spec.Containers[0].Env, corev1.EnvVar{Name: "WATCH", Value: "/data"})
	apply(t, watches)
	c := condition(t, "watches", protocol.ConditionCheckpointed)
	if c.Status != corev1.ConditionFalse || c.Reason != protocol.ReasonBlocked || !strings.Contains(c.Message, "worker watches files by inotify") {
		t.Errorf("Checkpointed: %+v", c)
	}
	await(t, "the process has got the answer", func() bool {
		return strings.Contains(ask(t, get(t, "watches")).Signal, `"success":false`)
	})
	if left, err := os.ReadDir(filepath.Join(store, team)); err != nil {
		t.Error(err)
	} else {
		for _, entry := range left {
			if entry.Name() == "watches" || strings.HasPrefix(entry.Name(), ".") {
				t.Errorf("left: %s", entry.Name())
			}
		}
	}
}

// killAgent ends the agent without a warning. Another one comes in a pod of its own, for
// which the kubelet does not wait as it would for a container that ends again and again.
func killAgent(t *testing.T) {
	t.Helper()
	agents := processes(t, func(line string) bool { return line == "/chrek-agent\x00" })
	if len(agents) != 1 {
		t.Fatalf("agents: %v", agents)
	}
	if err := syscall.Kill(agents[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := command("", "kubectl", "-n", system, "delete", "pods", "--all", "--grace-period=1", "--wait=false"); err != nil {
		t.Fatal(err)
	}
}

// isCRIU knows CRIU at work by its command line, which it changes to what it does.
func isCRIU(line string) bool {
	return strings.HasPrefix(line, "criu: ") || strings.HasPrefix(line, "/usr/sbin/criu\x00swrk")
}

// processes are those of the machine whose command line is meant.
func processes(t *testing.T, meant func(line string) bool) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !meant(string(line)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}
