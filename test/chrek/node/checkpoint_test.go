//go:build e2e

package node

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// TestAnAdministratorLooksAtWhatIsStored with `wheelhouse checkpoint`.
func TestAnAdministratorLooksAtWhatIsStored(t *testing.T) {
	knowCheckpoints(t)
	apply(t, source("seen", "seen"))
	if c := condition(t, "seen", protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Fatalf("Checkpointed: %+v", c)
	}
	copyArtifact(t, "seen", "bent")
	flip(t, filepath.Join(store, team, "bent"))
	apply(t, target("keeps", worker, "bent")) // what nobody means would go
	for _, step := range []struct {
		command string
		code    int
		says    string
	}{
		{"ls", 0, "pod team-a/seen"},
		{"inspect seen", 0, "capabilities 0"},
		{"verify seen", 0, "pod team-a/seen"},
		{"verify seen bent", 1, "pages-1.img is not what was stored"},
		{"diff seen seen", 0, ""},
		{"diff seen bent", 2, "needed by"},
		{"inspect nowhere", 1, `there is no checkpoint "nowhere"`},
		{"rm ../team-b", 1, "no name of one"},
	} {
		got, code := wheelhouse(t, step.command)
		if code != step.code || !strings.Contains(got, step.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", step.command, code, step.code, step.says, got)
		}
	}
	if got, code := wheelhouse(t, "rm seen"); code != 1 || !strings.Contains(got, "pod team-a/seen needs it") {
		t.Errorf("rm of what is needed: exit code %d:\n%s", code, got)
	}
	run(t, "delete", "pod", "seen", "--grace-period=1", "--wait")
	if got, code := wheelhouse(t, "rm seen"); code != 0 || !strings.Contains(got, "removed: seen") {
		t.Errorf("rm: exit code %d:\n%s", code, got)
	}
	if got, code := wheelhouse(t, "inspect seen"); code != 1 {
		t.Errorf("it is still there:\n%s", got)
	}
}

// wheelhouse runs a command below `wheelhouse checkpoint` and returns all that it prints.
func wheelhouse(t *testing.T, line string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bin/wheelhouse", append([]string{"checkpoint"}, strings.Fields(line+" -n "+system)...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
