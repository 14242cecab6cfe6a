package webhook

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTheFarewellEndsConnectionsInOrder speaks HTTP/1.1 over a connection that
// is kept, as API servers do.
func TestTheFarewellEndsConnectionsInOrder(t *testing.T) {
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := NewServer(address, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &other.TLS.Certificates[0], nil
	}, options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	for deadline := time.Now().Add(time.Minute); server.StartedChecker()(nil) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not start")
		}
	}
	client := other.Client()
	client.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
	// last tells whether the connection ends with the answer.
	last := func() bool {
		t.Helper()
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://"+address+validateModels, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		return response.Close
	}
	for range 2 {
		if last() {
			t.Error("connections are not kept while the server stays")
		}
	}
	stop()
	for deadline := time.Now().Add(farewell / 2); !last(); {
		if time.Now().After(deadline) {
			t.Fatal("after the order to stop, connections are still kept")
		}
	}
	if !last() {
		t.Error("a new connection is kept, although the server goes")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
