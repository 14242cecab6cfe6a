package seccomp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInstallPutsTheProfileInPlaceAndLeavesItAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "seccomp")
	if err := Verify(folder); err == nil || !strings.Contains(err.Error(), Name+" is missing") {
		t.Errorf("an empty node: got %v", err)
	}
	if err := Install(folder); err != nil {
		t.Fatal(err)
	}
	if err := Verify(folder); err != nil {
		t.Error(err)
	}
	path := filepath.Join(folder, Name)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode() != 0o644 {
		t.Errorf("mode %s, want readable by the runtime and writable by root alone", before.Mode())
	}
	if err := Install(folder); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("a profile in place was written again (%v)", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("something else was left in the folder: %v, %v", entries, err)
	}
}

func TestInstallReplacesAnotherVersion(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, Name)
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"defaultAction": "SCMP_ACT_ALLOW"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Verify(folder); err == nil {
		t.Error("another profile passed")
	}
	if err := Install(folder); err != nil {
		t.Fatal(err)
	}
	if err := Verify(folder); err != nil {
		t.Error(err)
	}
}

func TestInstallSaysWhyItFailed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Install(folder); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("got %v", err)
	}
}

func TestTheProfileBlocksIOUringAndNothingElse(t *testing.T) {
	var p struct {
		DefaultAction string
		Syscalls      []struct {
			Names    []string
			Action   string
			ErrnoRet int
		}
	}
	if err := json.Unmarshal(profile, &p); err != nil {
		t.Fatal(err)
	}
	want := []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}
	if p.DefaultAction != "SCMP_ACT_ALLOW" || len(p.Syscalls) != 1 || !slices.Equal(p.Syscalls[0].Names, want) {
		t.Errorf("got %+v", p)
	}
	if p.Syscalls[0].Action != "SCMP_ACT_ERRNO" || p.Syscalls[0].ErrnoRet != 38 {
		t.Errorf("programs are told %+v, want ENOSYS", p.Syscalls[0])
	}
}
