// Package garbage sets how often garbage is collected, before the larger part of
// the program starts: packages are initialised by the order of their paths, and
// those of Kubernetes' types come after this one.
package garbage

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A short run has enough memory for what it does not need any more, and a local API
// server may need the processor more. That ends where the run gets large: a thousand
// tenants in which little changes need less than most, and with the program 300 MiB.
const (
	rarely = 300
	often  = 100
	most   = 128 << 20
)

// init leaves it to GOGC, if that is set.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(rarely)
		runtime.SetFinalizer(new(collection), after)
	}
}

// collection is garbage, so that its finalizer runs after each collection. What is
// smaller shares its place with others and may live on with them.
type collection [16]byte

func after(*collection) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	debug.SetGCPercent(percent(sample[0].Value.Uint64()))
	runtime.SetFinalizer(new(collection), after)
}

// percent is how much may be added to what lives before the next collection. Both
// stay below most, or twice that at worst; what needs more anyway is not slowed down.
func percent(live uint64) int {
	if live >= most {
		return rarely
	}
	return int(max(often, min(rarely, (most-live)*100/max(live, 1))))
}
