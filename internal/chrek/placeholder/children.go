package placeholder

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// restored finds the child that is the first process of a PID namespace within ours;
// 0 if there is none. Only a restore leaves such a child.
func restored(proc string, parent int) int {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0
	}
	own := namespacePIDs(proc, parent)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || parentOf(proc, pid) != parent {
			continue
		}
		if all := namespacePIDs(proc, pid); len(all) == len(own)+1 && all[len(all)-1] == "1" {
			return pid
		}
	}
	return 0
}

func parentOf(proc string, pid int) int {
	n, err := strconv.Atoi(strings.Join(status(proc, pid, "PPid:"), ""))
	if err != nil {
		return 0
	}
	return n
}

// namespacePIDs are the numbers that a process has, from the outermost namespace that
// is visible to its own.
func namespacePIDs(proc string, pid int) []string { return status(proc, pid, "NSpid:") }

func status(proc string, pid int, name string) []string {
	content, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}
