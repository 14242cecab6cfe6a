package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fencedClient sends requests through a fence, whose clock the test moves, to a
// server that counts what changes something.
func fencedClient(t *testing.T) (r *retries, clock *atomic.Int64, written *atomic.Int64, send func(method, query string) error) {
	t.Helper()
	clock, written = &atomic.Int64{}, &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if _, err := io.ReadAll(request.Body); err == nil && request.Method != http.MethodGet {
			written.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	r = newRetries(http.DefaultTransport)
	r.fence.elapsed = func() time.Duration { return time.Duration(clock.Load()) }
	send = func(method, query string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, method, server.URL+"/things/one"+query, strings.NewReader(`{"metadata":{"name":"one"}}`))
		if err != nil {
			t.Fatal(err)
		}
		response, err := r.RoundTrip(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	return r, clock, written, send
}

func TestNothingIsWrittenAfterAStop(t *testing.T) {
	r, clock, written, send := fencedClient(t)
	if err := send(http.MethodPut, ""); err != nil || written.Load() != 1 {
		t.Fatalf("without a lock: %v, %d written", err, written.Load())
	}
	r.fence.Renew(time.Second)
	if err := send(http.MethodPut, ""); err != nil || written.Load() != 2 {
		t.Fatalf("with the lock: %v, %d written", err, written.Load())
	}
	// The process was stopped for longer than others respect the lock.
	clock.Store(int64(time.Hour))
	if err := send(http.MethodGet, ""); err != nil {
		t.Errorf("a read did not pass: %v", err)
	}
	if err := send(http.MethodPatch, "?dryRun=All"); err != nil {
		t.Errorf("a question did not pass: %v", err)
	}
	before := written.Load()
	lost := errors.New("somebody else has the lock")
	ended := make(chan error)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		go func() { ended <- send(method, "") }()
	}
	<-r.fence.overdue
	r.fence.Shut(lost)
	for range 4 {
		if err := <-ended; !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
	}
	if n := written.Load() - before; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// If nobody has taken the lock meanwhile, a late renewal lets all go on.
func TestARenewalAfterAStopLetsRequestsPass(t *testing.T) {
	r, clock, written, send := fencedClient(t)
	r.fence.Renew(time.Second)
	clock.Store(int64(time.Hour))
	ended := make(chan error)
	go func() { ended <- send(http.MethodPut, "") }()
	<-r.fence.overdue
	r.fence.Renew(time.Hour + time.Second)
	if err := <-ended; err != nil || written.Load() != 1 {
		t.Errorf("got %v, %d written", err, written.Load())
	}
}

// stopper is a transport in which the process is stopped: when the connection
// asks for the body, an hour has passed.
type stopper struct {
	clock *atomic.Int64
	next  http.RoundTripper
}

func (s stopper) RoundTrip(request *http.Request) (*http.Response, error) {
	s.clock.Store(int64(time.Hour))
	return s.next.RoundTrip(request)
}

func TestAStopBeforeTheConnectionSends(t *testing.T) {
	r, clock, written, send := fencedClient(t)
	r.next = stopper{clock, r.next}
	r.fence.Renew(time.Second)
	ended := make(chan error)
	go func() { ended <- send(http.MethodPut, "") }()
	<-r.fence.overdue
	lost := errors.New("somebody else has the lock")
	r.fence.Shut(lost)
	if err := <-ended; !errors.Is(err, lost) || written.Load() != 0 {
		t.Errorf("got %v, %d written", err, written.Load())
	}
}

// A request that hangs does not outlive the lock.
func TestARequestUnderWayEndsWithTheLock(t *testing.T) {
	r := newRetries(roundTripper(func(request *http.Request) (*http.Response, error) {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}))
	r.fence.Renew(r.fence.elapsed() + time.Minute)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "https://cluster/things/one", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("somebody else has the lock")
	time.AfterFunc(50*time.Millisecond, func() { r.fence.Shut(lost) })
	response, err := r.RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}
