package attacks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// wheelhouse builds the manager once for all tests that run it.
var wheelhouse = sync.OnceValues(func() (string, error) {
	if err := cluster.OpenSources("../.."); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "wheelhouse-attacks-")
	if err != nil {
		return "", err
	}
	programs = dir
	path := filepath.Join(dir, "wheelhouse")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/wheelhouse")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build wheelhouse: %w\n%s", err, out)
	}
	return path, nil
})

// programs is the folder of what was built, empty if nothing was.
var programs string

func removePrograms() { _ = os.RemoveAll(programs) }

// run runs wheelhouse with a fleet file and returns what it printed on both streams.
func run(t *testing.T, kubeconfig, fleet string, args ...string) (string, error) {
	t.Helper()
	program, err := wheelhouse()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fleet.yaml"), []byte(fleet), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+dir)
	out, err := command.CombinedOutput()
	return string(out), err
}
