package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kernel is the release of the node's kernel, "" if it does not say.
func Kernel(proc string) string {
	content, err := os.ReadFile(filepath.Join(proc, "sys/kernel/osrelease"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// CPU are the flags of the node's processors, sorted; nil if it does not say.
func CPU(proc string) []string {
	content, err := os.ReadFile(filepath.Join(proc, "cpuinfo"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(content)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "flags" {
			flags := strings.Fields(value)
			slices.Sort(flags)
			return flags
		}
	}
	return nil
}
