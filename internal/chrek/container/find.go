// Package container looks at the processes of a container from outside, by /proc of
// the node, and writes into its file system without following anything in it.
package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one process of the node.
type Process struct {
	PID    int
	Parent int
	UID    string
	// Inside are its numbers in the PID namespaces that it is in, from the node's on.
	Inside []int
	Comm   string
	Rights Rights
	// users is its user namespace.
	users string
}

// Rights are what confines a process, or does not.
type Rights struct {
	Known           bool
	Capabilities    uint64 // its bounding set
	NoNewPrivileges bool
	Seccomp         bool // whether it has a filter
}

// Container are the processes of a container that matter.
type Container struct {
	// Init is its first process.
	Init Process
	// All are all of them.
	All []Process
	// Worker is the process that a checkpoint is of: what was restored beside the
	// first process, or else the first itself.
	Worker Process
}

var runtimeID = regexp.MustCompile(`^[a-z-]+://([0-9a-f]{32,64})$`)

// ID takes the number out of a container's name in a pod's status.
func ID(name string) (string, error) {
	if m := runtimeID.FindStringSubmatch(name); m != nil {
		return m[1], nil
	}
	return "", fmt.Errorf("%q is no container of a runtime that is known", name)
}

// Find looks for the container with that number among all processes.
func Find(proc, id string) (Container, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return Container{}, err
	}
	var all []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !in(proc, pid, id) {
			continue
		}
		if p, err := read(proc, pid); err == nil { // else it has ended
			all = append(all, p)
		}
	}
	own, err := os.Readlink(filepath.Join(proc, "self", "ns", "user"))
	if err != nil {
		return Container{}, err
	}
	return choose(all, own, id)
}

// in reports whether a process is in the container's cgroup.
func in(proc string, pid int, id string) bool {
	groups, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	return err == nil && strings.Contains(string(groups), id)
}

// choose takes no process in a user namespace that is not the agent's: who makes one can
// mount there, and the names of its mounts would be the agent's to open.
func choose(all []Process, own, id string) (Container, error) {
	c := Container{All: all}
	for _, p := range all {
		if first(p) && (c.Init.PID == 0 || len(p.Inside) < len(c.Init.Inside)) {
			c.Init = p
		}
	}
	if c.Init.PID == 0 {
		return c, fmt.Errorf("container %s has no process on this node", id)
	}
	if c.Init.users != own {
		return c, fmt.Errorf("container %s is in a user namespace of its own (hostUsers: false, or made by its process), which is not supported", id)
	}
	c.Worker = c.Init
	for _, p := range all {
		if p.users == own && first(p) && p.Parent == c.Init.PID && len(p.Inside) == len(c.Init.Inside)+1 {
			c.Worker = p
		}
	}
	return c, nil
}

// first reports whether a process is the first of its PID namespace.
func first(p Process) bool { return len(p.Inside) > 1 && p.Inside[len(p.Inside)-1] == 1 }

func read(proc string, pid int) (Process, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return Process{}, err
	}
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return Process{}, err
	}
	p, err := parse(pid, string(status), strings.TrimSpace(string(comm)))
	if err != nil {
		return p, err
	}
	p.users, err = os.Readlink(filepath.Join(dir, "ns", "user"))
	return p, err
}

func parse(pid int, status, comm string) (Process, error) {
	p := Process{PID: pid, Comm: comm}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		var err error
		switch {
		case len(fields) == 0:
		case key == "State" && fields[0] == "Z":
			return p, fmt.Errorf("process %d has ended", pid)
		case key == "PPid":
			p.Parent, err = strconv.Atoi(fields[0])
		case key == "Uid":
			p.UID = fields[0]
		case key == "CapBnd":
			p.Rights.Known = true
			p.Rights.Capabilities, err = strconv.ParseUint(fields[0], 16, 64)
		case key == "NoNewPrivs":
			p.Rights.NoNewPrivileges = fields[0] == "1"
		case key == "Seccomp":
			p.Rights.Seccomp = fields[0] == "2"
		case key == "NSpid":
			for _, field := range fields {
				n, bad := strconv.Atoi(field)
				p.Inside, err = append(p.Inside, n), errors.Join(err, bad)
			}
		}
		if err != nil {
			return p, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return p, nil
}

// Comm is the name of a process, "" if it has ended.
func Comm(proc string, pid int) string {
	comm, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}

// Output are the pipes behind a process's file descriptors 1 and 2.
func Output(proc string, pid int) map[int]string {
	pipes := map[int]string{}
	for _, fd := range []int{1, 2} {
		target, err := os.Readlink(filepath.Join(proc, strconv.Itoa(pid), "fd", strconv.Itoa(fd)))
		if err == nil && strings.HasPrefix(target, "pipe:") {
			pipes[fd] = target
		}
	}
	return pipes
}

// Handle is a process that stays the one that it is.
type Handle struct {
	fd int
	// PID is its number, which is no other's while it lives.
	PID int
}

// Hold takes hold of a process, if it is still in the container.
func Hold(proc string, pid int, id string) (*Handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	if !in(proc, pid, id) {
		return nil, errors.Join(fmt.Errorf("process %d is not in container %s any more", pid, id), unix.Close(fd))
	}
	return &Handle{fd, pid}, nil
}

// Signal sends a signal to that process and no other.
func (h *Handle) Signal(s unix.Signal) error { return unix.PidfdSendSignal(h.fd, s, nil, 0) }

// Close lets go of it.
func (h *Handle) Close() { _ = unix.Close(h.fd) }
