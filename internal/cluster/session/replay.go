package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// errCredentials is why a session is of no further use.
var errCredentials = errors.New("the cluster no longer accepts the credentials: log in again")

// failure says what is known about a request that got no answer.
type failure int

const (
	// lasting failures are the same the next time.
	lasting failure = iota
	// unsent requests have not reached the server.
	unsent
	// cutOff requests may have been executed.
	cutOff
)

func classify(err error) failure {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return unsent
	case utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err), utilnet.IsTimeout(err),
		errors.Is(err, errStale), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return cutOff
	}
	for _, text := range []string{"http2: ", "stream error: ", "server closed idle connection"} {
		if strings.Contains(err.Error(), text) {
			return cutOff
		}
	}
	return lasting
}

// exhausted is the error of a request that was repeated in vain. It hides the
// last error where the client library would repeat the request once more.
type exhausted struct {
	// trouble is what the API server does, as in "does not answer".
	trouble  string
	lasted   time.Duration
	attempts int
	// last is the error of the last attempt; nil if the server answered.
	last error
}

func (e *exhausted) Error() string {
	return fmt.Sprintf("it %s, tried %d times within %s", e.trouble, e.attempts, e.lasted.Round(time.Second))
}

func (e *exhausted) Unwrap() error {
	if e.last == nil || classify(e.last) == cutOff && !utilnet.IsTimeout(e.last) {
		return nil
	}
	return e.last
}

// repeatable tells requests that may be executed twice, or of which it can be
// found out whether they were.
func (t *try) repeatable() bool {
	switch t.request.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPatch:
		return t.request.Header.Get("Content-Type") != string(types.JSONPatchType)
	default:
		return t.request.URL.Query().Has("dryRun") || strings.HasSuffix(t.request.URL.Path, "reviews") || t.name() != ""
	}
}

// name is what a create names its object; empty if it is none or leaves the
// name to the server.
func (t *try) name() string {
	var object metav1.PartialObjectMetadata
	if json.Unmarshal(t.body, &object) != nil {
		return ""
	}
	return object.Name
}

// reconcile answers in the place of an attempt whose answer was lost. If the
// server says that something exists already, or has changed, and it is what was
// asked for, then it was this request that made it so.
func (r *retries) reconcile(t *try, response *http.Response) (*http.Response, error) {
	switch {
	case t.request.Method == http.MethodDelete && response.StatusCode == http.StatusNotFound:
		return answerWith(response, http.StatusOK, &metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess,
		})
	case t.request.Method == http.MethodPost && response.StatusCode == http.StatusConflict && t.name() != "":
		if live := r.wanted(t, "/"+t.name()); live != nil {
			return answerWith(response, http.StatusCreated, live)
		}
	case t.request.Method == http.MethodPut && response.StatusCode == http.StatusConflict:
		if live := r.wanted(t, ""); live != nil {
			return answerWith(response, http.StatusOK, live)
		}
	}
	return response, nil
}

// wanted returns the live object if it is what the request wanted, and nil if
// it is not or that cannot be found out.
func (r *retries) wanted(t *try, below string) map[string]any {
	address := *t.request.URL
	address.Path, address.RawQuery = address.Path+below, ""
	request, err := http.NewRequestWithContext(t.request.Context(), http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil
	}
	request.Header = t.request.Header.Clone()
	request.Header.Del("Content-Type")
	request.Header.Set("Accept", runtime.ContentTypeJSON)
	live, err := r.RoundTrip(request)
	if err != nil {
		return nil
	}
	defer live.Body.Close()
	var have, want map[string]any
	if json.NewDecoder(live.Body).Decode(&have) != nil || json.Unmarshal(t.body, &want) != nil || !holds(have, want) {
		return nil
	}
	return have
}

// holds reports whether an object has everything that a request wanted, apart
// from what the server numbers.
func holds(have, want map[string]any) bool {
	for key, value := range want {
		if key == "resourceVersion" || key == "managedFields" {
			continue
		}
		if !holdsValue(have[key], value) {
			return false
		}
	}
	return true
}

func holdsValue(have, want any) bool {
	switch want := want.(type) {
	case nil:
		return true
	case map[string]any:
		inner, _ := have.(map[string]any)
		return holds(inner, want)
	case []any:
		list, _ := have.([]any)
		if len(list) != len(want) {
			return false
		}
		for i := range want {
			if !holdsValue(list[i], want[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(have, want)
	}
}

// answerWith replaces an answer.
func answerWith(old *http.Response, code int, object any) (*http.Response, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	response := *old
	response.StatusCode, response.Status = code, fmt.Sprintf("%d %s", code, http.StatusText(code))
	response.Header = old.Header.Clone()
	response.Header.Set("Content-Type", runtime.ContentTypeJSON)
	response.Header.Del("Content-Length")
	response.ContentLength, response.Body = int64(len(data)), io.NopCloser(bytes.NewReader(data))
	return &response, nil
}
