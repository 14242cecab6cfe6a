// Package garbage sets how often garbage is collected, before the larger part of
// the program starts: packages are initialised by the order of their paths, and
// those of Kubernetes' types come after this one.
package garbage

import (
	"os"
	"runtime/debug"
)

// percent trades memory, of which a short run has enough, for processor time,
// which a local API server may need more. GOGC has precedence.
const percent = 300

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
