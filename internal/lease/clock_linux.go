package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// Elapsed is a clock for who holds: it goes on while this process is stopped
// and while the machine is suspended, since for others time goes on too.
func Elapsed() time.Duration {
	var now unix.Timespec
	// It fails for clocks that the kernel does not know; it has known this one
	// for longer than Go runs on it.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}
