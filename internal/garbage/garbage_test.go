package garbage

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// A run that is small collects rarely, one that grows more often, and one that
// cannot keep below a bound is not slowed down.
func TestPercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 300, 20 * mib: 300, 32 * mib: 300, 40 * mib: 220, 50 * mib: 156, 64 * mib: 100, 127 * mib: 100, 128 * mib: 300, 4000 * mib: 300} {
		if got := percent(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, want %d %%", live/mib, got, want)
		}
	}
}

// What was collected last decides, again and again.
func TestEachCollectionDecides(t *testing.T) {
	kept := make([]byte, 80<<20)
	for round := range 3 {
		debug.SetGCPercent(rarely)
		for began := time.Now(); ; {
			runtime.GC()
			now := debug.SetGCPercent(rarely)
			if now == often {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("round %d: %d %% with 80 MiB alive, want %d %%", round, now, often)
			}
			time.Sleep(time.Millisecond)
		}
	}
	runtime.KeepAlive(kept)
}
