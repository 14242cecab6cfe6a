package garbage

import "testing"

// A run that is small collects rarely, one that grows keeps below a bound, and one
// that needs more than that gets it.
func TestPercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 300, 20 * mib: 300, 56 * mib: 300, 64 * mib: 250, 100 * mib: 124, 112 * mib: 100, 4000 * mib: 100} {
		if got := percent(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, want %d %%", live/mib, got, want)
		}
	}
}
