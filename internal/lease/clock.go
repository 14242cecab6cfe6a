package lease

import "time"

var started = time.Now()

// Awake is a clock for who observes: it goes on while this process is stopped
// and, on most systems, stands still while the machine is suspended.
func Awake() time.Duration { return time.Since(started) }
