//go:build !shortlease

package ledger

import "time"

// The lock is a Lease with a heartbeat: a client that dies blocks nobody for
// longer than lockDuration.
const (
	lockDuration  = 30 * time.Second
	lockHeartbeat = 5 * time.Second
)
