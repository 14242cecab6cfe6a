// Package node holds together all that the kernel keeps for one full node: namespaces, mounts, network and cgroups.
//
// A node is a network, a mount and a cgroup namespace. Its mounts, links, routes and packet filter rules exist only
// in there, so they vanish with its last process; what remains to be removed is a handful of empty folders.
package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostNetworkFD is the file descriptor by which the node's first process finds the host's network.
const hostNetworkFD = 3

// Command returns a command that runs drydock itself in a new mount and network namespace.
// It must call Enter first, and exec from there what shall live in the node.
func Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hostNetwork, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.ExtraFiles = []*os.File{hostNetwork} // becomes hostNetworkFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	return cmd, nil
}

// Enter moves this process into the cgroups of the node with the given machine-wide id and a cgroup namespace rooted there, and becomes the given command.
// It returns only with an error.
func Enter(name string, args []string) error {
	if err := joinCgroups(name); err != nil {
		return err
	}
	// A namespace belongs to a thread; the program that this thread becomes has it throughout.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("new cgroup namespace: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Files that Go opened close on exec; the host's network stays open for the successor.
	if _, err := unix.FcntlInt(hostNetworkFD, unix.F_SETFD, 0); err != nil {
		return err
	}
	return unix.Exec(self, append([]string{self}, args...), os.Environ())
}

// Remove kills every process of the node, its pods' included, and removes its cgroups. It does nothing where there is no such node.
func Remove(name string) error {
	if err := killAll(name); err != nil {
		return err
	}
	return removeCgroups(name)
}
