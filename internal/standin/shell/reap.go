package shell

import (
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// children are the processes that this shell started and waits for itself.
var children = family{pids: map[int]bool{}}

type family struct {
	mu   sync.Mutex
	pids map[int]bool
}

func (f *family) run(cmd *exec.Cmd) error {
	// The lock spans the start: a child must be known before it can be reaped.
	f.mu.Lock()
	err := cmd.Start()
	if err == nil {
		f.pids[cmd.Process.Pid] = true
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	f.mu.Lock()
	delete(f.pids, cmd.Process.Pid)
	f.mu.Unlock()
	return err
}

// reap collects ended processes that nobody waits for; our own children are
// left to cmd.Wait. Asking for each process by its ID, rather than for any,
// is what keeps the two apart.
func (f *family) reap() {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || f.pids[pid] {
			continue
		}
		// For a process that is not ours this fails and changes nothing.
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	}
}

// ReapOrphans makes a container's first process collect the orphans that the
// kernel hands to it, such as those of exec probes. Elsewhere it does nothing.
func ReapOrphans() {
	if os.Getpid() != 1 {
		return
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			children.mu.Lock()
			children.reap()
			children.mu.Unlock()
		}
	}()
}
