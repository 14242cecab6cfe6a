//go:build !linux

package lease

import "time"

// Elapsed is a clock for who holds: it goes on while this process is stopped
// and while the machine is suspended, since for others time goes on too. Here
// only the clock on the wall is known to do so; where it was set back, the
// other one counts.
func Elapsed() time.Duration {
	return max(Awake(), time.Now().Round(0).Sub(started.Round(0)))
}
