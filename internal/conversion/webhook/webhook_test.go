package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// running is a server, where it listens, and how it is ended.
func running(t *testing.T, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (reviews, probes string, end func() error) {
	t.Helper()
	s := &Server{
		Reviews: listen(t), Probes: listen(t), Certificate: certificate, Log: slog.New(slog.DiscardHandler),
		Review: func(body []byte) ([]byte, error) {
			if !json.Valid(body) {
				return nil, errors.New("no JSON")
			}
			return bytes.ToUpper(body), nil
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return "https://" + s.Reviews.Addr().String() + Path, "http://" + s.Probes.Addr().String(), func() error {
		cancel()
		return <-done
	}
}

// selfSigned is a certificate of the standard library's for tests.
func selfSigned(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &s.TLS.Certificates[0], nil
}

// client speaks HTTP/1.1, as API servers do to webhooks.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// answer is what a server answered, and whether the connection ends with it.
type answer struct {
	code int
	text []byte
	last bool
}

func ask(t *testing.T, client *http.Client, method, url, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, text, response.Close}
}

func post(t *testing.T, url, body string) (int, []byte) {
	t.Helper()
	a := ask(t, client(), http.MethodPost, url, body)
	return a.code, a.text
}

func TestAReviewIsAnswered(t *testing.T) {
	reviews, _, _ := running(t, selfSigned)
	if code, text := post(t, reviews, `{"a":1}`); code != http.StatusOK || string(text) != `{"A":1}` {
		t.Errorf("%d %s", code, text)
	}
	if code, text := post(t, reviews, "{"); code != http.StatusBadRequest || !strings.Contains(string(text), "no JSON") {
		t.Errorf("who sends something else is told %d %s", code, text)
	}
}

func ready(t *testing.T, probes string) int {
	t.Helper()
	return ask(t, http.DefaultClient, http.MethodGet, probes+"/readyz", "").code
}

func TestItIsReadyWithACertificate(t *testing.T) {
	_, probes, _ := running(t, selfSigned)
	if code := ready(t, probes); code != http.StatusOK {
		t.Errorf("with a certificate: %d", code)
	}
	_, probes, _ = running(t, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") })
	if code := ready(t, probes); code != http.StatusServiceUnavailable {
		t.Errorf("without one: %d", code)
	}
}

// Told to end, it says so to the kubelet, and answers until proxies know.
func TestItEndsWithoutARequestLost(t *testing.T) {
	reviews, probes, end := running(t, selfSigned)
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	for ready(t, probes) != http.StatusServiceUnavailable {
		time.Sleep(10 * time.Millisecond)
	}
	if a := ask(t, client(), http.MethodPost, reviews, "{}"); a.code != http.StatusOK || !a.last {
		t.Errorf("while it ends: %d %s, and the connection ends: %t", a.code, a.text, a.last)
	}
	if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
