package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

// errStale stops a request that writes because the lock was not renewed in time.
var errStale = errors.New("the lock was not renewed in time")

// Fence is where requests that write leave. While a lock is held they pass only
// if it was renewed a short time ago, by a clock that goes on while this process
// is stopped and while the machine sleeps: a client that was stopped and goes
// on must not write into what another one does meanwhile. Without a lock
// everything passes.
type Fence struct {
	// elapsed is the clock.
	elapsed func() time.Duration
	// overdue asks for a renewal before its time.
	overdue chan struct{}

	mutex sync.Mutex
	up    bool
	// until is the end of the time for which the last renewal is good.
	until time.Duration
	// lost is why nothing passes any more.
	lost error
	// changed closes when one of them changes.
	changed chan struct{}
}

// NewFence makes a fence that lets everything pass.
func NewFence() *Fence {
	return &Fence{elapsed: lease.Elapsed, overdue: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Elapsed reads the fence's clock.
func (f *Fence) Elapsed() time.Duration { return f.elapsed() }

// Overdue receives when a request waits for a renewal.
func (f *Fence) Overdue() <-chan struct{} { return f.overdue }

// Renew lets requests pass until a moment of its clock.
func (f *Fence) Renew(until time.Duration) {
	f.change(func() { f.up, f.until, f.lost = true, until, nil })
}

// Shut lets nothing pass any more.
func (f *Fence) Shut(cause error) { f.change(func() { f.up, f.lost = true, cause }) }

func (f *Fence) change(do func()) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

// left tells for how much longer requests pass, and gives a channel that closes
// when that changes.
func (f *Fence) left() (left time.Duration, changed <-chan struct{}, err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.up {
		return time.Hour, f.changed, nil
	}
	return f.until - f.elapsed(), f.changed, f.lost
}

// check tells whether a request may leave at this moment.
func (f *Fence) check() error {
	left, _, err := f.left()
	if err == nil && left <= 0 {
		err = errStale
	}
	return err
}

// await blocks until requests may leave, or never may again.
func (f *Fence) await(ctx context.Context) error {
	for {
		left, changed, err := f.left()
		if err != nil || left > 0 {
			return err
		}
		select {
		case f.overdue <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bound makes a context that ends as soon as requests may no longer leave, so
// that what was not sent then is not sent later.
func (f *Fence) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			left, changed, err := f.left()
			if err == nil && left <= 0 {
				err = errStale
			}
			if err != nil {
				cancel(err)
				return
			}
			timer := time.NewTimer(left)
			select {
			case <-timer.C:
			case <-changed:
			case <-ctx.Done():
			}
			timer.Stop()
			if ctx.Err() != nil {
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// guarded is a body that is sent only while requests may leave: this is the last
// place before the connection that is ours.
type guarded struct {
	io.Reader
	fence *Fence
}

func (g guarded) Read(p []byte) (int, error) {
	if err := g.fence.check(); err != nil {
		return 0, err
	}
	return g.Reader.Read(p)
}

func (guarded) Close() error { return nil }

type pastFence struct{}

// PastFence marks the requests about the lock itself, which decide whether it is
// still ours: the API server compares versions for them.
func PastFence(ctx context.Context) context.Context { return context.WithValue(ctx, pastFence{}, true) }

// fenced tells requests that change something in the cluster.
func fenced(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	asks := r.URL.Query().Has("dryRun") || strings.HasSuffix(r.URL.Path, "reviews")
	return !asks && r.Context().Value(pastFence{}) == nil
}
