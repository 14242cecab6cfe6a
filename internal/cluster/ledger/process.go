package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// procfs is the folder in which the system tells about processes.
type procfs string

const proc procfs = "/proc"

// read returns one of its files.
func (p procfs) read(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(string(p), name))
	return strings.TrimSpace(string(data)), err
}

// thisProcess tells others on the same machine, who then need not wait for a dead
// one's time to run out, which process holds the lock. It identifies this process beyond its number: the boot, the
// process-number namespace (a container's), the number, the start time. It is
// empty where the system does not tell.
func thisProcess() string {
	place, ok := proc.place()
	if !ok {
		return ""
	}
	started, err := proc.startTime(os.Getpid())
	if err != nil {
		return ""
	}
	return strings.Join([]string{place, strconv.Itoa(os.Getpid()), started}, " ")
}

// place is where process numbers have a meaning.
func (p procfs) place() (string, bool) {
	boot, err := p.read("sys/kernel/random/boot_id")
	if err != nil {
		return "", false
	}
	namespace, err := os.Readlink(filepath.Join(string(p), "self/ns/pid"))
	return boot + " " + namespace, err == nil
}

// startTime is the 22nd field of a process's stat; the second one, its name in
// parentheses, may itself hold spaces. One that has ended, and of which only its
// parent has not taken notice, started at no time.
func (p procfs) startTime(pid int) (string, error) {
	text, err := p.read(strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	switch {
	case len(fields) < 20:
		return "", errors.New("unexpected form of /proc/PID/stat")
	case fields[0] == "Z", fields[0] == "X":
		return "", nil
	}
	return fields[19], nil
}

// knownDead reports whether a process of this machine has certainly ended.
// About processes elsewhere nothing is known, nor about those that the system
// does not show: /proc may hide those of other users.
func (p procfs) knownDead(process string) bool {
	fields := strings.Fields(process)
	if len(fields) != 4 {
		return false
	}
	place, ok := p.place()
	if !ok || place != fields[0]+" "+fields[1] {
		return false
	}
	pid, err := strconv.Atoi(fields[2])
	if err != nil || pid <= 0 {
		return false
	}
	found, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	// Signal 0 does nothing: the kernel only says whether there is such a process.
	if errors.Is(found.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		return true
	}
	started, err := p.startTime(pid)
	return err == nil && started != fields[3]
}
