package cluster

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// processAnnotation on the lock tells which process holds it, so that another
// one on the same machine need not wait for a dead one's time to run out.
const processAnnotation = "wheelhouse.dev/process"

// thisProcess identifies this process beyond its number: the boot, the
// process-number namespace (a container's), the number, the start time. It is
// empty where the system does not tell.
func thisProcess() string {
	place, ok := processPlace()
	if !ok {
		return ""
	}
	started, err := startTime(os.Getpid())
	if err != nil {
		return ""
	}
	return strings.Join([]string{place, strconv.Itoa(os.Getpid()), started}, " ")
}

// processPlace is where process numbers have a meaning.
func processPlace() (string, bool) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(string(boot)) + " " + namespace, true
}

// startTime is the 22nd field of a process's stat; the second one, its name in
// parentheses, may itself hold spaces.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", errors.New("unexpected form of /proc/PID/stat")
	}
	return fields[19], nil
}

// knownDead reports whether a process of this machine has certainly ended.
// About processes elsewhere nothing is known.
func knownDead(process string) bool {
	fields := strings.Fields(process)
	if len(fields) != 4 {
		return false
	}
	place, ok := processPlace()
	if !ok || place != fields[0]+" "+fields[1] {
		return false
	}
	pid, err := strconv.Atoi(fields[2])
	if err != nil {
		return false
	}
	started, err := startTime(pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && started != fields[3]
}
