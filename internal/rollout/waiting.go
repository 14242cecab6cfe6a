package rollout

import (
	"context"
	"time"
)

// Waiting says how an operation on a release waits for the hooks of its chart.
type Waiting struct {
	// Patience is how long a hook may make no progress.
	Patience time.Duration
	// Report receives each new message about what is waited for.
	Report func(string)
}

type waitingKey struct{}

// WithWaiting tells the operations under a context how to wait.
func WithWaiting(ctx context.Context, w Waiting) context.Context {
	return context.WithValue(ctx, waitingKey{}, w)
}

// WaitingOf is what WithWaiting told; by default 5 minutes, in silence.
func WaitingOf(ctx context.Context) Waiting {
	if w, ok := ctx.Value(waitingKey{}).(Waiting); ok {
		return w
	}
	return Waiting{Patience: 5 * time.Minute, Report: func(string) {}}
}
