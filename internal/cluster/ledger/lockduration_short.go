//go:build shortlease

package ledger

import "time"

// For tests that stop a client for longer than the lock's duration, again and
// again.
const (
	lockDuration  = 3 * time.Second
	lockHeartbeat = 500 * time.Millisecond
)
