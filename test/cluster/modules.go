package cluster

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inModule runs a command in a module of this repository, in which the version of
// something of a third party is decided.
func inModule(t testing.TB, module string, command ...string) string {
	t.Helper()
	root := output(t, ".", "", "go", "list", "-m", "-f", "{{.Dir}}")
	return output(t, filepath.Join(root, module), "", command...)
}

// ModuleFolder is where the sources of a third party's module are, in the version that
// a module of this repository needs. A fresh machine has not got them yet.
func ModuleFolder(t testing.TB, module, path string) string {
	t.Helper()
	inModule(t, module, "go", "mod", "download", path)
	return inModule(t, module, "go", "list", "-m", "-f", "{{.Dir}}", path)
}

func output(t testing.TB, dir, input string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0")
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
