package session

import (
	"context"
	"net/http"
)

// inFlight is how many requests of a run are under way at most: as many as keep a
// small API server busy. It is the only bound on requests, at the place where
// they leave, so that bounds elsewhere do not multiply.
const inFlight = 64

// limiter admits requests.
type limiter chan struct{}

func newLimiter() limiter { return make(limiter, inFlight) }

// admit blocks until a request may be sent. Answers that have no end of their
// own, and requests about the lock, wait for nobody.
func (l limiter) admit(ctx context.Context, request *http.Request) (done func(), err error) {
	if streams(request) || ctx.Value(pastFence{}) != nil {
		return func() {}, nil
	}
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
