package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestParseStatCountsBehindTheProgramsName(t *testing.T) {
	tests := []struct {
		name, stat string
		state      string
		start      uint64
		fails      bool
	}{
		{"plain", "12 (etcd) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 98765 1 2", "S", 98765, false},
		{"a name with spaces and parentheses", "12 (a) b (c) R 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 42 1 2", "R", 42, false},
		{"cut off", "12 (etcd) S 1 12", "", 0, true},
		{"empty", "", "", 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state, start, err := parseStat(test.stat)
			if (err != nil) != test.fails || state != test.state || start != test.start {
				t.Errorf("got %q, %d, %v", state, start, err)
			}
		})
	}
}

func TestStopEndsTheProcessAndItsChildren(t *testing.T) {
	dir := t.TempDir()
	pidFile, childFile := filepath.Join(dir, "pid"), filepath.Join(dir, "child")
	script := fmt.Sprintf("sleep 1000 & echo $! > %[1]s.new; mv %[1]s.new %[1]s; wait", childFile)
	started, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", script}, LogFile: filepath.Join(dir, "log"), PIDFile: pidFile})
	if err != nil {
		t.Fatal(err)
	}
	child := waitForChild(t, childFile)
	if id, running := Read(pidFile); !running || id != started.Identity {
		t.Fatalf("the PID file says %v, running %t; want %v, running", id, running, started.Identity)
	}
	if err := Stop(pidFile, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if started.Running() {
		t.Error("the process still runs")
	}
	if !child.waitGone(5 * time.Second) {
		t.Error("its child still runs")
	}
	if _, err := os.Stat(pidFile); err == nil {
		t.Error("the PID file is still there")
	}
}

func waitForChild(t *testing.T, file string) Identity {
	t.Helper()
	var pid int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if content, err := os.ReadFile(file); err == nil {
			if _, err := fmt.Sscan(string(content), &pid); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	id, err := Identify(pid)
	if err != nil {
		t.Fatalf("the child did not start: %v", err)
	}
	return id
}

func TestARecycledPIDIsNeverKilled(t *testing.T) {
	bystander := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bystander.Wait() }) // the end of the test's context kills it
	id, err := Identify(bystander.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, earlier := range map[string]Identity{
		"started at another time": {id.PID, id.Start - 1, id.Boot},
		"from before a reboot":    {id.PID, id.Start, "11111111-2222-3333-4444-555555555555"},
	} {
		t.Run(name, func(t *testing.T) {
			pidFile := filepath.Join(t.TempDir(), "pid")
			if err := earlier.save(pidFile); err != nil {
				t.Fatal(err)
			}
			if err := Stop(pidFile, time.Second); err != nil {
				t.Fatal(err)
			}
			if !id.Running() {
				t.Fatal("a process that is not ours was killed")
			}
		})
	}
}

func TestStopOfNothingIsFine(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("12"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(dir, "missing"), damaged} {
		if err := Stop(file, time.Second); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestStartOfAMissingProgramFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Start(Spec{Path: filepath.Join(dir, "nothing"), LogFile: filepath.Join(dir, "log"), PIDFile: filepath.Join(dir, "pid")}); err == nil {
		t.Error("no error")
	}
}
