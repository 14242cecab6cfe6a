package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// script answers attempts in order, the last one for ever. An answer is a
// status code with an optional body, "reset", "refused" or "cut" (an answer
// that breaks off).
type script struct {
	answers []string
	asked   []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	answer := s.answers[min(len(s.asked), len(s.answers))-1]
	switch answer {
	case "reset":
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	case "refused":
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	code, text, _ := strings.Cut(answer, " ")
	response := &http.Response{Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
	if code == "cut" {
		response.StatusCode, response.Body = http.StatusOK, io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		return response, nil
	}
	if code == "429" {
		response.Header.Set("Retry-After", "7")
	}
	_, err := fmt.Sscan(code, &response.StatusCode)
	response.Status = code + " " + http.StatusText(response.StatusCode)
	return response, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// ask sends one request through retries whose clock moves only by sleeping.
func ask(t *testing.T, s *script, method, path, kind, body string, answered bool) (r *retries, code int, text string, err error) {
	t.Helper()
	now := time.Unix(1, 0)
	r = newRetries(s)
	r.now = func() time.Time { return now }
	r.sleep = func(_ context.Context, d time.Duration) bool {
		now = now.Add(d)
		return true
	}
	r.answered.Store(answered)
	request, err := http.NewRequestWithContext(t.Context(), method, "https://cluster"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	response, err := r.RoundTrip(request)
	if err != nil {
		return r, 0, "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return r, response.StatusCode, string(data), err
}

const jsonType = "application/json"

func TestRequestsAreRepeatedWhereThatIsSafe(t *testing.T) {
	const secret = `{"metadata":{"name":"s","creationTimestamp":null},"data":{"a":"b"}}`
	for name, tc := range map[string]struct {
		method, path, kind, body string
		answers                  []string
		code                     int
		text                     string
		asked                    []string
	}{
		"busy":             {method: "POST", path: "/s", body: `{}`, answers: []string{"429", "201"}, code: 201, asked: []string{"POST /s {}", "POST /s {}"}},
		"error of a read":  {method: "GET", path: "/s", answers: []string{"500", "503", "200 yes"}, code: 200, text: "yes"},
		"lost read":        {method: "GET", path: "/s", answers: []string{"reset", "cut", "refused", "200 yes"}, code: 200, text: "yes"},
		"apply":            {method: "PATCH", path: "/s/s", kind: "application/apply-patch+yaml", body: secret, answers: []string{"reset", "200"}, code: 200},
		"not sent at all":  {method: "POST", path: "/s", body: `{"metadata":{"generateName":"x-"}}`, answers: []string{"refused", "201"}, code: 201},
		"not to be missed": {method: "GET", path: "/s", answers: []string{"404 no"}, code: 404, text: "no"},
		"create executed": {
			method: "POST", path: "/s", body: secret,
			answers: []string{"reset", "409", `200 {"metadata":{"name":"s","uid":"1"},"data":{"a":"b"}}`},
			code:    201, text: `{"data":{"a":"b"},"metadata":{"name":"s","uid":"1"}}`,
			asked: []string{"POST /s " + secret, "POST /s " + secret, "GET /s/s"},
		},
		"create lost to another": {
			method: "POST", path: "/s", body: secret, answers: []string{"reset", "409 taken", `200 {"metadata":{"name":"s"},"data":{"a":"c"}}`}, code: 409, text: "taken",
		},
		"exists from the start": {method: "POST", path: "/s", body: secret, answers: []string{"409 taken"}, code: 409, text: "taken", asked: []string{"POST /s " + secret}},
		"update executed": {
			method: "PUT", path: "/s/s", body: `{"metadata":{"name":"s","resourceVersion":"1"},"spec":{"list":[1,{"a":"b"}]}}`,
			answers: []string{"500", "409", `200 {"metadata":{"name":"s","resourceVersion":"2"},"spec":{"list":[1,{"a":"b","c":1}]}}`},
			code:    200, text: `{"metadata":{"name":"s","resourceVersion":"2"},"spec":{"list":[1,{"a":"b","c":1}]}}`,
		},
		"update lost to another": {
			method: "PUT", path: "/s/s", body: `{"metadata":{"name":"s"},"spec":{"list":[1]}}`, answers: []string{"500", "409 changed", `200 {"spec":{"list":[1,2]}}`}, code: 409, text: "changed",
		},
		"delete executed":   {method: "DELETE", path: "/s/s", answers: []string{"reset", "404"}, code: 200, text: `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`},
		"nothing to delete": {method: "DELETE", path: "/s/s", answers: []string{"404 no"}, code: 404, text: "no"},
		"a webhook is away": {
			method: "GET", path: "/s", answers: []string{"500 failed calling webhook"}, code: 500, text: "failed calling webhook",
			asked: []string{"GET /s", "GET /s", "GET /s", "GET /s", "GET /s", "GET /s"},
		},
		"an election of etcd":  {method: "GET", path: "/s", answers: append(slices.Repeat([]string{"500", "503", "429"}, 4), "200 yes"), code: 200, text: "yes"},
		"credentials renewed":  {method: "GET", path: "/s", answers: []string{"401", "200 yes"}, code: 200, text: "yes"},
		"credentials expired":  {method: "GET", path: "/s", answers: []string{"401 no"}, code: 401, text: "no", asked: []string{"GET /s", "GET /s"}},
		"name from the server": {method: "POST", path: "/s", body: `{"metadata":{"generateName":"x-"}}`, answers: []string{"500 bad"}, code: 500, text: "bad", asked: []string{`POST /s {"metadata":{"generateName":"x-"}}`}},
		"not to be repeated":   {method: "PATCH", path: "/s/s", kind: "application/json-patch+json", body: `[]`, answers: []string{"503 bad"}, code: 503, text: "bad", asked: []string{"PATCH /s/s []"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{answers: tc.answers}
			if tc.kind == "" {
				tc.kind = jsonType
			}
			_, code, text, err := ask(t, s, tc.method, tc.path, tc.kind, tc.body, true)
			if err != nil || code != tc.code || text != tc.text {
				t.Errorf("got %d %q %v, want %d %q", code, text, err, tc.code, tc.text)
			}
			if tc.asked != nil {
				if diff := cmp.Diff(tc.asked, s.asked); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// givenUp asserts that a request was repeated for as long as that may help, and
// that the session ended with it.
func givenUp(t *testing.T, r *retries, err error, cause string) {
	t.Helper()
	var gone *exhausted
	if !errors.As(err, &gone) || gone.attempts < 10 {
		t.Fatalf("got %v", err)
	}
	select {
	case <-r.broken:
	default:
		t.Fatal("the session does not count as broken")
	}
	if !strings.HasPrefix(r.cause.Error(), cause) {
		t.Errorf("got %q", r.cause)
	}
}

func TestRepeatingHasAnEnd(t *testing.T) {
	t.Run("a silent server", func(t *testing.T) {
		r, _, _, err := ask(t, &script{answers: []string{"reset"}}, http.MethodGet, "/s", jsonType, "", true)
		givenUp(t, r, err, "the API server does not answer, for 1m")
		if utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) {
			t.Error("the client library would begin anew")
		}
	})
	t.Run("a server with errors", func(t *testing.T) {
		r, _, _, err := ask(t, &script{answers: []string{"503"}}, http.MethodPut, "/s", jsonType, "{}", true)
		givenUp(t, r, err, "the API server answers with errors (503 Service Unavailable), for 1m")
	})
	t.Run("a server behind it", func(t *testing.T) { behind(t, "") })
	t.Run("a server behind one behind a path", func(t *testing.T) { behind(t, "/k8s/clusters/c-x") })
	t.Run("a busy server", func(t *testing.T) {
		s := &script{answers: []string{"429"}}
		r, _, _, err := ask(t, s, http.MethodGet, "/s", jsonType, "", true)
		givenUp(t, r, err, "the API server throttles this client (429), for ")
		if len(s.asked) < 30 || len(s.asked) > 45 {
			t.Errorf("%d attempts of 7 s", len(s.asked))
		}
	})
	t.Run("a wrong address", func(t *testing.T) {
		s := &script{answers: []string{"refused"}}
		_, _, _, err := ask(t, s, http.MethodGet, "/s", jsonType, "", false)
		if !errors.Is(err, syscall.ECONNREFUSED) || len(s.asked) != 1 {
			t.Errorf("got %v after %d attempts", err, len(s.asked))
		}
	})
	t.Run("refused credentials", func(t *testing.T) {
		r, _, _, _ := ask(t, &script{answers: []string{"401"}}, http.MethodGet, "/s", jsonType, "", true)
		<-r.broken
		if !errors.Is(r.cause, errCredentials) {
			t.Errorf("got %v", r.cause)
		}
	})
}

// Time in which this client did not run says nothing about the server.
func TestAStopIsNoSilence(t *testing.T) {
	now := time.Unix(1, 0)
	s := &script{answers: []string{"reset", "reset", "200 yes"}}
	r := newRetries(roundTripper(func(request *http.Request) (*http.Response, error) {
		now = now.Add(time.Hour)
		return s.RoundTrip(request)
	}))
	r.now = func() time.Time { return now }
	r.sleep = func(context.Context, time.Duration) bool { return true }
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://cluster/s", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAPersonHearsOfTroubleThatLasts(t *testing.T) {
	var said []string
	s := &script{answers: []string{"429", "429", "429", "429", "200"}}
	r := newRetries(s)
	now := time.Unix(1, 0)
	r.now = func() time.Time { return now }
	r.sleep = func(_ context.Context, d time.Duration) bool {
		now = now.Add(d)
		return true
	}
	tell := func(message string) { said = append(said, message) }
	r.tell.Store(&tell)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://cluster/s", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	// Four pauses of seven seconds: once after the first, once more later.
	if diff := cmp.Diff([]string{"the API server is busy (429); slowing down", "the API server is busy (429); slowing down"}, said); diff != "" {
		t.Error(diff)
	}
}

// behind asks for what another server serves, through an API server at a path.
func behind(t *testing.T, at string) {
	t.Helper()
	r, asked := newRetries(nil), 0
	now := time.Unix(1, 0)
	r.now = func() time.Time { return now }
	r.sleep = func(_ context.Context, d time.Duration) bool {
		now = now.Add(d)
		return true
	}
	r.next = roundTripper(func(request *http.Request) (*http.Response, error) {
		code := http.StatusServiceUnavailable
		if request.URL.Path == at+"/version" {
			code = http.StatusOK
		} else {
			asked++
		}
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
	})
	for _, want := range []int{errorAttempts, errorAttempts + 1} { // once it is known, nobody waits for it again
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://cluster"+at+"/apis/metrics.k8s.io/v1beta1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := r.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusServiceUnavailable || asked != want {
			t.Fatalf("%v, asked %d times, want %d", err, asked, want)
		}
		_ = response.Body.Close()
	}
}
