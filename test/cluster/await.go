package cluster

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	patience = 2 * time.Minute
	poll     = 20 * time.Millisecond
)

// Eventually waits, for two minutes at most, until check returns nil, and returns
// how long that took.
func Eventually(t testing.TB, what string, check func() error) time.Duration {
	t.Helper()
	var err error
	began := time.Now()
	for ; time.Since(began) < patience; time.Sleep(poll) {
		if err = check(); err == nil {
			return time.Since(began)
		}
	}
	t.Fatalf("%s: after %s still: %v", what, patience, err)
	return 0
}

// Namespace makes a namespace for one test and deletes it when the test ends.
func Namespace(t testing.TB, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}}
	if err := c.Create(context.Background(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leaving.Store(ns.Name, true)
		if err := c.Delete(context.Background(), ns); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

// leaving are the namespaces that tests have deleted, and the resources.
var leaving sync.Map

// Watchdog notes which requests the API server refuses for want of rights.
type Watchdog struct {
	Next      http.RoundTripper
	Forbidden *sync.Map
}

// RoundTrip implements http.RoundTripper.
func (w Watchdog) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.Next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusForbidden || terminating(request) {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(body, []byte("denied the request")) { // by a webhook
		w.Forbidden.Store(request.Method+" "+request.URL.String(), true)
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// terminating: in a namespace that is going away nothing can be created, and
// nothing of a kind that is.
func terminating(request *http.Request) bool {
	_, after, _ := strings.Cut(request.URL.Path, "/namespaces/")
	for i, part := range strings.Split(after, "/") {
		if _, gone := leaving.Load(part); gone && i < 2 {
			return true
		}
	}
	return false
}

// Report fails the test for every request that was refused.
func (w Watchdog) Report(t testing.TB) {
	t.Helper()
	w.Forbidden.Range(func(request, _ any) bool {
		t.Errorf("the operator lacks the right to %s", request)
		return true
	})
}
