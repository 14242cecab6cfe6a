// Package rendezvous is how the processes of a group meet in the stand-in
// runtime: each says its rank to the leader, again and again, and the leader
// counts those that it hears. The real runtimes use torch, Ray and the like.
package rendezvous

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	beat = 500 * time.Millisecond
	// silence is how long a member may say nothing until it counts as lost.
	silence = 5 * time.Second
	timeout = 2 * time.Second
)

// Meeting is the leader's side.
type Meeting struct {
	mu    sync.Mutex
	heard map[string]time.Time
}

// Members are the ranks that were heard of late, without the leader's own.
func (m *Meeting) Members() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, at := range m.heard {
		if time.Since(at) < silence {
			n++
		}
	}
	return n
}

// Handler serves the members: POST /join?rank=R, and GET /members.
func (m *Meeting) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /join", func(_ http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.heard == nil {
			m.heard = map[string]time.Time{}
		}
		m.heard[r.URL.Query().Get("rank")] = time.Now()
	})
	mux.HandleFunc("GET /members", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(m.Members())
	})
	return mux
}

// Serve lets members come to an address until ctx ends.
func (m *Meeting) Serve(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("let the group meet: %w", err)
	}
	server := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: timeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("let the group meet: %w", err)
	}
	return nil
}

// Members asks the meeting at an address for its size.
func Members(ctx context.Context, address string) (n int, err error) {
	err = ask(ctx, http.MethodGet, address, "/members", &n)
	return n, err
}

// Join says a rank to the leader until ctx ends. It waits for a leader that is
// not there yet, and fails when one that was has gone.
func Join(ctx context.Context, address, rank string) error {
	met := time.Time{}
	for ctx.Err() == nil {
		err := ask(ctx, http.MethodPost, address, "/join?rank="+rank, nil)
		switch {
		case err == nil:
			met = time.Now()
		case ctx.Err() == nil && !met.IsZero() && time.Since(met) > silence:
			return fmt.Errorf("the leader has gone: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(beat):
		}
	}
	return nil
}

func ask(ctx context.Context, method, address, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+strings.TrimPrefix(address, "http://")+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
