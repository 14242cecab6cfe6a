// Package blockers says what a process has that no checkpoint can store, and what to do
// about it, before the process is made to stand still.
package blockers

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Process is what /proc tells of one.
type Process struct {
	Name string
	// Open are the targets of its file descriptors, with what fdinfo says of each.
	Open []File
	Maps string // its memory, as in /proc/PID/maps
}

// File is an open file.
type File struct{ Target, Info string }

// Find returns a sentence for each thing that cannot be stored. tables are the files tcp,
// tcp6, udp and udp6 of the pod's network namespace.
func Find(processes []Process, tables map[string]string) []string {
	var found []string
	for _, p := range processes {
		for _, file := range p.Open {
			if why := ofFile(file); why != "" {
				found = append(found, p.Name+" "+why)
			}
		}
		if strings.Contains(p.Maps, " /SYSV") {
			found = append(found, p.Name+" has shared memory of System V; let it use POSIX shared memory, in /dev/shm")
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		found = append(found, bound(table, tables[table])...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// plain are the devices that every container has.
var plain = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"}

func ofFile(f File) string {
	switch {
	case f.Target == "anon_inode:[io_uring]":
		return "uses io_uring; let the pod have the seccomp profile profiles/block-iouring.json, which the agent puts on its node"
	case f.Target == "anon_inode:[userfaultfd]":
		return "handles page faults itself (userfaultfd); turn that off in the program"
	case strings.HasPrefix(f.Target, "anon_inode:") && strings.Contains(f.Info, "inotify wd:"):
		return "watches files by inotify; turn the watching of files off in the program"
	case strings.HasPrefix(f.Target, "/dev/nvidia"):
		return "has the GPU " + f.Target + " open; checkpoints of GPU memory are not taken"
	case strings.HasPrefix(f.Target, "/dev/") && !slices.Contains(plain, f.Target) && strings.Count(f.Target, "/") == 2 && !strings.HasSuffix(f.Target, " (deleted)"):
		return "has the device " + f.Target + " open; let it be closed before the checkpoint"
	}
	return ""
}

// bound finds sockets that wait at an address of this pod alone.
func bound(table, content string) []string {
	waits := map[bool]string{true: "0A", false: "07"}[strings.HasPrefix(table, "tcp")]
	var found []string
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != waits {
			continue
		}
		host, port, _ := strings.Cut(fields[1], ":")
		address, ok := parse(host)
		number, err := hex.DecodeString(port)
		if !ok || err != nil || len(number) != 2 || address.IsUnspecified() || address.IsLoopback() {
			continue
		}
		found = append(found, fmt.Sprintf("a socket (%s) waits at the pod's own address %s, which another pod has not; let the program listen at 0.0.0.0 or ::",
			table, netip.AddrPortFrom(address, uint16(number[0])<<8|uint16(number[1]))))
	}
	return found
}

// parse reads an address as the kernel writes it: words of 32 bits, each with its least
// byte first.
func parse(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(raw)
	return address.Unmap(), ok
}
