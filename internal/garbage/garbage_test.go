package garbage

import "testing"

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
