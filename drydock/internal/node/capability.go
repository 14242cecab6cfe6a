package node

import (
	"os"
	"strconv"
	"strings"
)

const capSysResource = 24

// MayLowerOOMScore reports whether this process has CAP_SYS_RESOURCE. Some virtual machines withhold it even from root.
func MayLowerOOMScore() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "CapEff:"); found {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && set&(1<<capSysResource) != 0
		}
	}
	return false
}
