package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTheAgentsImageHasACompleteCRIU runs it with the image's loader and libraries, and
// with none of this machine's.
func TestTheAgentsImageHasACompleteCRIU(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Log("the agent's image is for amd64 only")
		return
	}
	image, err := find("chrek-agent")
	if err != nil {
		t.Fatal(err)
	}
	files, err := more(t.Context(), image, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, file := range files {
		at := filepath.Join(root, file.Path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, file.Content, file.Mode); err != nil {
			t.Fatal(err)
		}
	}
	loader, libs := filepath.Join(root, "lib64/ld-linux-x86-64.so.2"), filepath.Join(root, libraries)
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), loader, append([]string{"--library-path", libs}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	criu := filepath.Join(root, "usr/sbin/criu")
	if version := run(criu, "--version"); !strings.Contains(version, "4.2.1") {
		t.Errorf("CRIU is %s", version)
	}
	for line := range strings.Lines(run("--list", criu)) {
		if _, from, found := strings.Cut(line, " => "); found && !strings.HasPrefix(from, root) {
			t.Errorf("the image lacks a library: %s", line)
		}
	}
	for _, program := range []string{"chrek-init", "usr/share/doc/criu/copyright"} {
		if _, err := os.Stat(filepath.Join(root, program)); err != nil {
			t.Error(err)
		}
	}
}

func TestAPackageThatIsAnotherIsNotTaken(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	wrong := criu[0]
	wrong.SHA256 = strings.Repeat("0", 64)
	if _, err := wrong.contents(t.Context()); err == nil || !strings.Contains(err.Error(), wrong.Pool) {
		t.Errorf("got %v, want a refusal that names the package", err)
	}
}
