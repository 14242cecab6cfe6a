package manager

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A client that is killed at any moment leaves nothing that the next run does
// not finish by itself: no lock, no pending release, no half-written object.
func TestAKilledClientIsForgiven(t *testing.T) {
	charts, err := filepath.Abs("testdata/charts")
	if err != nil {
		t.Fatal(err)
	}
	fleet := writeFleet(t, fmt.Sprintf(`metadata: {name: kill}
spec:
  charts: {crds: %s/crds, platform: %s/platform}
  crds: {namespace: kill-crds}
  values: [{crds: {group: kill.example.com}, platform: {group: kill.example.com}}]
  platforms: [{namespace: kill-a}, {namespace: kill-b}]
`, charts, charts))
	for i := range 12 {
		delay := time.Duration(i*40) * time.Millisecond
		set := fmt.Sprintf("platform.text=round-%d", i)
		kill(t, delay, "apply", "-f", fleet, "--set", set)
		if out, err := wheelhouse(t, shared, "apply", "-f", fleet, "--set", set); err != nil {
			t.Fatalf("killed after %s, the next apply failed: %v\n%s", delay, err, out)
		}
		if out, err := wheelhouse(t, shared, "plan", "-f", fleet, "--drift", "--set", set); err != nil {
			t.Fatalf("killed after %s, something is left to do: %v\n%s", delay, err, out)
		}
		if i%4 == 3 {
			kill(t, delay/4, "destroy", "-f", fleet, "--yes")
			if out, err := wheelhouse(t, shared, "destroy", "-f", fleet, "--yes"); err != nil {
				t.Fatalf("the destroy after a killed one failed: %v\n%s", err, out)
			}
		}
	}
	out, err := wheelhouse(t, shared, "history", "-f", fleet)
	if err != nil || strings.Contains(out, "running") {
		t.Errorf("a dead run still counts as running: %v\n%s", err, out)
	}
}

// kill starts wheelhouse and kills it after a delay, unless it was faster.
func kill(t *testing.T, delay time.Duration, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), delay)
	defer cancel()
	var out bytes.Buffer
	command := exec.CommandContext(ctx, filepath.Join(tools, "wheelhouse"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil && ctx.Err() == nil {
		t.Fatalf("%s failed by itself: %v\n%s", args[0], err, out.String())
	}
}
