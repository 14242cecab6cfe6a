package preflight

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/seccomp"
)

func TestField(t *testing.T) {
	const limits = "Limit                     Soft Limit           Hard Limit           Units\n" +
		"Max open files            1024                 524288               files\n"
	for _, tc := range []struct {
		content, name string
		column        int
		want          string
	}{
		{limits, "Max open files", 1, "524288"},
		{"Version: 4.2.1\nGitID: v4.2.1\n", "Version:", 0, "4.2.1"},
		{limits, "Max locked memory", 1, ""},
		{"Version:\n", "Version:", 0, ""},
	} {
		if got := field(tc.content, tc.name, tc.column); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if openFilesLimit("unlimited") < 1<<60 || openFilesLimit("1024") != 1024 {
		t.Error("numbers are read wrongly")
	}
}

func TestCgroupVersion(t *testing.T) {
	for _, tc := range []struct {
		entry string
		want  int
	}{{"cgroup.controllers", 2}, {"memory", 1}, {"something", 0}} {
		mount := t.TempDir()
		if err := os.Mkdir(filepath.Join(mount, tc.entry), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := cgroupVersion(mount); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.entry, got, tc.want)
		}
	}
}

func listen(t *testing.T, path string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
}

// TestGather looks at the machine that the test runs on.
func TestGather(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Node.KubeletSocket = filepath.Join(dir, "kubelet.sock")
	cfg.Seccomp.Directory = filepath.Join(dir, "seccomp")
	cfg.Checkpoint.BasePath = filepath.Join(dir, "checkpoints")
	t.Setenv("PATH", dir)

	bare := new(Gatherer).Gather(t.Context(), cfg)
	if bare.Arch == "" || bare.Kernel == "" || bare.OpenFiles == 0 || bare.NrOpen == 0 {
		t.Errorf("facts are missing: %+v", bare)
	}
	for name, err := range map[string]error{"kubelet": bare.Kubelet, "seccomp": bare.Seccomp, "storage": bare.Storage, "criu": bare.CRIU} {
		if err == nil {
			t.Errorf("%s is there before it is", name)
		}
	}

	listen(t, cfg.Node.KubeletSocket)
	if err := os.Mkdir(cfg.Checkpoint.BasePath, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := seccomp.Install(cfg.Seccomp.Directory); err != nil {
		t.Fatal(err)
	}
	program := "#!/bin/sh\necho 'Version: 4.2.1'\necho 'GitID: v4.2.1'\n"
	if err := os.WriteFile(filepath.Join(dir, "criu"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	ready := new(Gatherer).Gather(t.Context(), cfg)
	for name, err := range map[string]error{"kubelet": ready.Kubelet, "seccomp": ready.Seccomp, "storage": ready.Storage, "criu": ready.CRIU} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ready.CRIUVersion != "4.2.1" {
		t.Errorf("CRIU %q", ready.CRIUVersion)
	}
	if left, err := os.ReadDir(cfg.Checkpoint.BasePath); err != nil || len(left) != 0 {
		t.Errorf("the storage is not as it was: %v, %v", left, err)
	}
}

func TestABrokenCRIUSaysWhy(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	program := "#!/bin/sh\necho 'libnet.so.9: cannot open shared object file' >&2\nexit 127\n"
	if err := os.WriteFile(filepath.Join(dir, "criu"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := criuVersion(t.Context()); err == nil || !strings.Contains(err.Error(), "libnet.so.9") {
		t.Errorf("got %v", err)
	}
}

func TestStorageThatHangsIsAskedOnce(t *testing.T) {
	hung := make(chan error, 1)
	g := &Gatherer{writing: hung}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.writeTo(ctx, t.TempDir()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
	if g.writing != hung {
		t.Error("a second write was started")
	}
	hung <- nil
	if err := g.writeTo(t.Context(), t.TempDir()); err != nil {
		t.Errorf("after it answered: %v", err)
	}
}
