package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Patience and the others say how long requests are repeated. Restarting an API server, or electing a leader
// of its database, takes seconds. A server that throttles us is alive and may
// take longer. What fails because of somebody else's webhook or API server, while
// ours is well, fails the same way again unless that passes soon.
const (
	Patience         = time.Minute
	throttlePatience = 5 * time.Minute
	errorAttempts    = 6
	firstPause       = 100 * time.Millisecond
	longestPause     = 5 * time.Second
	// longestAttempt is for how long one attempt counts as trouble: what takes
	// much longer was stopped, and so was this client.
	longestAttempt = 15 * time.Second
)

// retries is the transport of a session. It repeats requests that the API
// server did not answer or not now, as far as that is safe, and finds out what
// became of those whose answer was lost. Its callers see one request with one
// answer.
type retries struct {
	next  http.RoundTripper
	fence *Fence
	limit limiter
	// confined is nil for a session that may ask for everything.
	confined *confinement
	// sleep waits, or returns false when the context has ended.
	sleep func(ctx context.Context, d time.Duration) bool
	// now is the clock.
	now func() time.Time
	// tell receives what a person who waits should know; may be nil.
	tell atomic.Pointer[func(string)]

	// answered says that the server has been seen alive: before that, an address
	// where nothing listens is a wrong address.
	answered atomic.Bool
	// well is when the server last did what it was asked to, in Unix nanoseconds.
	well atomic.Int64
	// silent are the paths of versions that others serve and did not answer for.
	silent sync.Map

	mutex  sync.Mutex
	broken chan struct{}
	cause  error
	told   map[string]time.Time
}

func newRetries(next http.RoundTripper) *retries {
	return &retries{next: next, fence: NewFence(), limit: newLimiter(), sleep: sleep, now: time.Now, broken: make(chan struct{}), told: map[string]time.Time{}}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// try is one request with all its repetitions.
type try struct {
	request *http.Request
	body    []byte
	began   time.Time
	count   int
	// trouble is how long the server has not done what was asked, as far as this
	// request knows. Time in which this process was stopped does not count.
	trouble time.Duration
	// doubt says that an earlier attempt may have been executed.
	doubt bool
	// gaveUp is why it is not repeated any more, though that could help.
	gaveUp *exhausted
	// renewed says that the credentials have been refused once: a credential
	// plugin has new ones the next time.
	renewed bool
}

// RoundTrip implements http.RoundTripper.
func (r *retries) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := readBody(request)
	if err != nil {
		return nil, err
	}
	if refusal, err := r.confined.refuse(request, body); refusal != nil || err != nil {
		return refusal, err
	}
	t := &try{request: request, body: body, began: r.now()}
	for {
		done, err := r.limit.admit(request.Context(), request)
		if err != nil {
			return nil, err
		}
		began := r.now()
		response, err := r.once(t)
		done()
		t.trouble += min(r.now().Sub(began), longestAttempt)
		pause, again := r.judge(t, response, err)
		if !again {
			return r.settle(t, response, err)
		}
		if response != nil {
			_ = response.Body.Close()
		}
		if !r.sleep(request.Context(), pause) {
			return nil, request.Context().Err()
		}
		t.trouble += pause
	}
}

func readBody(request *http.Request) ([]byte, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return nil, nil
	}
	defer request.Body.Close()
	return io.ReadAll(request.Body)
}

// once makes one attempt, as soon as the fence lets it pass. An answer that breaks
// off is none, so it is read here, unless it is a stream.
func (r *retries) once(t *try) (response *http.Response, err error) {
	t.count++
	ctx := t.request.Context()
	body := func() io.ReadCloser { return io.NopCloser(bytes.NewReader(t.body)) }
	if fenced(t.request) {
		if err := r.fence.await(ctx); err != nil {
			return nil, err
		}
		bound, done := r.fence.bound(ctx)
		defer done()
		defer func() {
			if cause := context.Cause(bound); err != nil && cause != nil && t.request.Context().Err() == nil {
				err = cause
			}
		}()
		ctx, body = bound, func() io.ReadCloser { return guarded{bytes.NewReader(t.body), r.fence} }
	}
	request := t.request.Clone(ctx)
	if t.body != nil {
		request.Body, request.ContentLength = body(), int64(len(t.body))
		request.GetBody = func() (io.ReadCloser, error) { return body(), nil }
	}
	response, err = r.next.RoundTrip(request)
	if err != nil || streams(request) {
		return response, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	return response, nil
}

// streams tells answers that have no end of their own.
func streams(request *http.Request) bool {
	watch := request.URL.Query().Get("watch")
	return watch == "true" || watch == "1" || strings.HasSuffix(request.URL.Path, "/log")
}

// judge decides whether a request is repeated, and after which pause.
func (r *retries) judge(t *try, response *http.Response, err error) (pause time.Duration, again bool) {
	if t.request.Context().Err() != nil {
		return 0, false
	}
	if err != nil {
		return r.judgeError(t, err)
	}
	r.answered.Store(true)
	switch response.StatusCode {
	case http.StatusUnauthorized:
		again = !t.renewed
		t.renewed = true
		if !again {
			r.breakOff(errCredentials)
		}
		return 0, again
	case http.StatusTooManyRequests:
		// Refused before anything was done, so every request may be repeated.
		pause = max(retryAfter(response), t.backoff())
		r.say(t, "the API server is busy (429); slowing down")
		return pause, r.persists(t, throttlePatience-pause, "throttles this client (429)")
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		t.doubt = true
		r.say(t, "the API server answers with errors ("+response.Status+"); trying again")
		if !t.repeatable() || r.others(t, response) {
			return 0, false
		}
		return max(min(retryAfter(response), longestPause), t.backoff()), r.persists(t, Patience, "answers with errors ("+response.Status+")")
	default:
		r.well.Store(r.now().UnixNano())
		return 0, false
	}
}

// others tells errors, once they have lasted, that are not the API server's own: those
// of webhooks, and of the servers behind it that serve some of the kinds, while it does
// what others ask.
func (r *retries) others(t *try, response *http.Response) bool {
	path := t.request.URL.Path
	server, version, found := strings.Cut(path, "/apis/") // some API servers are behind a path of their own
	if found && strings.Count(version, "/") == 1 {        // what one version of a group serves
		_, known := r.silent.Load(path)
		if !known && (t.count < errorAttempts || r.well.Load() <= t.began.UnixNano() && !r.answers(t.request, server)) {
			return false
		}
		r.silent.Store(path, true)
		return true
	}
	if t.count < errorAttempts {
		return false
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	return bytes.Contains(data, []byte("webhook"))
}

// answers asks the API server for what nobody else answers.
func (r *retries) answers(beside *http.Request, server string) bool {
	request := beside.Clone(beside.Context())
	request.URL.Path, request.URL.RawQuery = server+"/version", ""
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// judgeError judges a request that got no answer.
func (r *retries) judgeError(t *try, err error) (pause time.Duration, again bool) {
	kind := classify(err)
	switch {
	case kind == lasting, kind == unsent && !r.answered.Load():
		return 0, false
	case kind == cutOff:
		t.doubt = true
		if !t.repeatable() {
			return 0, false
		}
	}
	if errors.Is(err, errStale) {
		r.say(t, "the lock was not renewed in time; asking whether it is still ours")
	} else {
		r.say(t, "the API server does not answer; trying again")
	}
	return t.backoff(), r.persists(t, Patience, "does not answer")
}

// persists tells whether it is worth to go on in spite of trouble. Where it is
// not, and others had no more luck in the meantime, the session ends.
func (r *retries) persists(t *try, patience time.Duration, trouble string) bool {
	if t.trouble <= patience {
		return true
	}
	t.gaveUp = &exhausted{trouble: trouble, lasted: t.trouble, attempts: t.count}
	if r.well.Load() < t.began.UnixNano() {
		r.breakOff(fmt.Errorf("the API server %s, for %s now", trouble, t.trouble.Round(time.Second)))
	}
	return false
}

// backoff doubles with each attempt; chance keeps many requests from coming
// back at the same moment.
func (t *try) backoff() time.Duration {
	pause := min(firstPause<<min(t.count-1, 10), longestPause)
	return pause/2 + rand.N(pause/2+1)
}

func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// settle makes the final answer: of a request that was repeated in doubt it
// finds out whether an earlier attempt had been executed.
func (r *retries) settle(t *try, response *http.Response, err error) (*http.Response, error) {
	if t.gaveUp != nil {
		t.gaveUp.last = err
		return nil, t.gaveUp
	}
	if err != nil {
		return nil, err
	}
	// The client library would begin anew where we have given up.
	response.Header.Del("Retry-After")
	if t.doubt && t.count > 1 {
		return r.reconcile(t, response)
	}
	return response, nil
}

// say tells a person about trouble that lasts, each kind once in a while.
func (r *retries) say(t *try, message string) {
	tell, now := r.tell.Load(), r.now()
	if tell == nil || now.Sub(t.began) < time.Second {
		return
	}
	r.mutex.Lock()
	due := now.Sub(r.told[message]) > 10*time.Second
	if due {
		r.told[message] = now
	}
	r.mutex.Unlock()
	if due {
		(*tell)(message)
	}
}

// breakOff declares the session of no further use.
func (r *retries) breakOff(cause error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.cause == nil {
		r.cause = cause
		close(r.broken)
	}
}
