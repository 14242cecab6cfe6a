package session

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestSoManyRequestsAreUnderWayAndNoMore(t *testing.T) {
	var now atomic.Int64
	var mutex sync.Mutex
	most := int64(0)
	full, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := newRetries(roundTripper(func(request *http.Request) (*http.Response, error) {
		n := now.Add(1)
		defer now.Add(-1)
		mutex.Lock()
		most = max(most, n)
		mutex.Unlock()
		if n == inFlight {
			once.Do(func() { close(full) })
		}
		<-let
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
	}))
	send := func(address string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, strings.NewReader(""))
		if err != nil {
			t.Error(err)
			return
		}
		response, err := r.RoundTrip(request)
		if err != nil {
			t.Error(err)
			return
		}
		_ = response.Body.Close()
	}
	var sent sync.WaitGroup
	for range 2 * inFlight {
		sent.Go(func() { send("https://cluster/things/one") })
	}
	<-full
	close(let)
	sent.Wait()
	if most != inFlight {
		t.Errorf("%d requests were under way, not %d", most, inFlight)
	}
}

// A watch lasts as long as the run, and would keep its place for ever.
func TestWatchesAndTheLockWaitForNobody(t *testing.T) {
	full := newLimiter()
	for range inFlight {
		full <- struct{}{}
	}
	renewal, err := http.NewRequestWithContext(PastFence(t.Context()), http.MethodPut, "https://cluster/leases/one", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	watch, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://cluster/things?watch=true", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []*http.Request{watch, renewal} {
		done, err := full.admit(request.Context(), request)
		if err != nil {
			t.Fatalf("%s: %v", request.URL, err)
		}
		done()
	}
}
