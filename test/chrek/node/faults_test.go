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

// TestAnAgentThatIsKilledLeavesNothingHalfDone: while it stores, and while it restores.
func TestAnAgentThatIsKilledLeavesNothingHalfDone(t *testing.T) {
	large := source("large", "large")
	large.Spec.Containers[0].Env[0].Value = "512"
	apply(t, large)
	await(t, "the checkpoint is begun", func() bool {
		drafts, err := filepath.Glob(filepath.Join(store, team, ".new@*"))
		return err == nil && len(drafts) > 0
	})
	killAgent(t)
	stored := ready(t, "large")
	if c := condition(t, "large", protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Fatalf("Checkpointed: %+v", c)
	}
	if drafts, err := filepath.Glob(filepath.Join(store, team, ".*")); err != nil || len(drafts) > 0 {
		t.Errorf("left: %v, %v", drafts, err)
	}
	if now := ask(t, get(t, "large")); now.Boot != stored.Boot || get(t, "large").Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the process did not survive: %+v", now)
	}

	heir := target("heir", worker, "large")
	heir.Spec.Containers[0].Env[0].Value = "512"
	apply(t, heir)
	await(t, "the restore is begun", func() bool {
		for _, c := range get(t, "heir").Status.Conditions {
			if c.Type == protocol.ConditionRestored {
				return true
			}
		}
		return false
	})
	killAgent(t)
	now, c := ready(t, "heir"), condition(t, "heir", protocol.ConditionRestored)
	if restored := c.Status == corev1.ConditionTrue; restored != (now.Boot == stored.Boot) {
		t.Errorf("Restored: %+v, and the process says %+v", c, now)
	}
}

// killAgent ends the agent without a warning.
func killAgent(t *testing.T) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || string(line) != "/chrek-agent\x00" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no agent is running")
}
