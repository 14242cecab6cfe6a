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

// programs is the folder of what was built, empty if nothing was.
var programs string

// built builds a program of ours once for all tests that run it.
var built = map[string]func() (string, error){
	"wheelhouse": sync.OnceValues(func() (string, error) { return build("wheelhouse") }),
	"operator":   sync.OnceValues(func() (string, error) { return build("operator") }),
}

func build(name string) (string, error) {
	if err := cluster.OpenSources("../.."); err != nil {
		return "", err
	}
	if programs == "" {
		dir, err := os.MkdirTemp("", "wheelhouse-attacks-")
		if err != nil {
			return "", err
		}
		programs = dir
	}
	path := filepath.Join(programs, name)
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// program is the path of a program of ours.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := built[name]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func removePrograms() { _ = os.RemoveAll(programs) }
