// Package process starts programs that outlive the command, remembers them in PID files, and stops exactly those.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Identity names one process for good: the kernel reuses PIDs, but not together with a start time in the same boot.
type Identity struct {
	PID   int
	Start uint64 // clock ticks since boot, field 22 of /proc/PID/stat
	Boot  string // /proc/sys/kernel/random/boot_id
}

// Spec says what to run. The program gets its own session and process group, and nothing on its standard input.
type Spec struct {
	Path    string
	Args    []string
	Env     []string
	LogFile string
	PIDFile string
}

// Process is a program that this command started.
type Process struct {
	Identity
	exited chan struct{}
}

// Exited is closed when the program ends.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Start runs the program and records it in its PID file.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.Background(), spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	process := &Process{exited: make(chan struct{})}
	process.Identity, err = Identify(cmd.Process.Pid)
	go func() {
		_ = cmd.Wait() // the exit status is in the log; what matters here is that it ended
		close(process.exited)
	}()
	if err != nil {
		return nil, fmt.Errorf("%s ended at once; see %s", spec.Path, spec.LogFile)
	}
	return process, process.save(spec.PIDFile)
}

func (id Identity) save(path string) error {
	return state.WriteFile(path, fmt.Appendf(nil, "%d %d %s\n", id.PID, id.Start, id.Boot), 0o644)
}

// Identify returns the identity of a process that runs now.
func Identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, err
	}
	runState, start, err := parseStat(string(stat))
	if err != nil {
		return Identity{}, err
	}
	if runState == "Z" || runState == "X" {
		return Identity{}, fs.ErrNotExist
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return Identity{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, err
}

// parseStat returns fields 3 and 22 of /proc/PID/stat. Field 2 is free text in parentheses, so counting starts behind its last one.
func parseStat(stat string) (runState string, start uint64, err error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", 0, errors.New("unreadable process status")
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], start, err
}

// Read returns the process that a PID file records, and whether it still runs.
// A missing or unreadable file means that there is none.
func Read(pidFile string) (id Identity, running bool) {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return Identity{}, false
	}
	if _, err := fmt.Sscan(string(content), &id.PID, &id.Start, &id.Boot); err != nil {
		return Identity{}, false
	}
	return id, id.Running()
}

// Running reports whether this very process still runs.
func (id Identity) Running() bool {
	now, err := Identify(id.PID)
	return err == nil && now == id
}

// StartTime is when the process began.
func (id Identity) StartTime() time.Time {
	const ticksPerSecond = 100 // USER_HZ, fixed by the kernel's interface
	uptime := bootTime().Add(time.Duration(id.Start) * time.Second / ticksPerSecond)
	return uptime.Truncate(time.Second)
}

func bootTime() time.Time {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(stat)) {
		if rest, found := strings.CutPrefix(line, "btime "); found {
			seconds, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return time.Unix(seconds, 0)
		}
	}
	return time.Time{}
}

// Stop ends the recorded process and its group: politely, and after the grace period by force. It removes the PID file.
func Stop(pidFile string, grace time.Duration) error {
	id, running := Read(pidFile)
	if running {
		if err := id.stop(grace); err != nil {
			return err
		}
	}
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (id Identity) stop(grace time.Duration) error {
	for _, attempt := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := syscall.Kill(-id.PID, attempt.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping process %d: %w", id.PID, err)
		}
		if id.waitGone(attempt.wait) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end, not even when killed", id.PID)
}

func (id Identity) waitGone(timeout time.Duration) bool {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if !id.Running() {
			return true
		}
	}
	return !id.Running()
}
