// Package webhook answers the API server's requests to convert objects from one
// version to another, over HTTPS. It knows nothing of the API but what is in the
// requests.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Path is where the API server asks for conversions.
const Path = "/convert"

const (
	// maxReview bounds a request, in bytes: the API server sends all objects of a
	// list at once, each of which may have a little more than 1 MiB.
	maxReview = 512 << 20
	// maxWait is how long the API server waits for an answer.
	maxWait = 30 * time.Second
	// drain is how long requests are still taken after the order to end: until then
	// proxies may send some.
	drain = 8 * time.Second
)

// Review answers a review, both as JSON. Its error is about what the caller sent.
type Review func(body []byte) ([]byte, error)

// Server answers conversion reviews and probes.
type Server struct {
	// Reviews and Probes are where it listens; the reviews with TLS.
	Reviews, Probes net.Listener
	// Certificate is asked for at each handshake, so that renewals cost nothing.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Review      Review
	Log         *slog.Logger

	ending atomic.Bool
}

// Run serves until the context ends, and then ends what it has begun.
func (s *Server) Run(ctx context.Context) error {
	reviews := &http.Server{
		Handler: s.reviews(), ReadHeaderTimeout: maxWait, IdleTimeout: 2 * time.Minute,
		TLSConfig: &tls.Config{GetCertificate: s.Certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
		ErrorLog:  slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	probes := &http.Server{Handler: s.probes(), ReadHeaderTimeout: maxWait}
	failed := make(chan error, 2)
	go func() { failed <- reviews.ServeTLS(s.Reviews, "", "") }()
	go func() { failed <- probes.Serve(s.Probes) }()
	select {
	case err := <-failed:
		return errors.Join(err, reviews.Close(), probes.Close())
	case <-ctx.Done():
	}
	s.ending.Store(true)
	s.Log.Info("ending", "drain", drain)
	time.Sleep(drain)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxWait)
	defer cancel()
	return errors.Join(reviews.Shutdown(last), probes.Close())
}

func (s *Server) reviews() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, s.review)
	return mux
}

func (s *Server) review(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if s.ending.Load() {
		// API servers keep connections for long, past any change of the Service, and a
		// request on one that is closed without a word is lost.
		w.Header().Set("Connection", "close")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	if err != nil {
		http.Error(w, fmt.Sprintf("read the review: %v", err), http.StatusBadRequest)
		return
	}
	answer, err := s.Review(body)
	if err != nil {
		s.Log.Warn("refused", "from", r.RemoteAddr, "error", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(answer); err != nil {
		s.Log.Error("the answer was not sent", "error", err)
		return
	}
	s.Log.Debug("converted", "bytes", len(body), "took", time.Since(began))
}

// probes answers the kubelet: alive always, ready while it takes requests and has
// a certificate to show.
func (s *Server) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.ending.Load() {
			http.Error(w, "ending", http.StatusServiceUnavailable)
			return
		}
		if _, err := s.Certificate(nil); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}
