package webhook

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// front stands for the Service: it leads each connection to the next replica
// that accepts it.
type front struct {
	port int

	mu       sync.Mutex
	backends []string
	next     int
}

func newFront(t *testing.T) *front {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{port: listener.Addr().(*net.TCPAddr).Port}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go f.lead(connection)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Wait()
	})
	return f
}

func (f *front) add(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = append(f.backends, address)
}

func (f *front) remove(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = slices.DeleteFunc(f.backends, func(a string) bool { return a == address })
}

// order lists all replicas, beginning with the one whose turn it is.
func (f *front) order() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.backends) == 0 {
		return nil
	}
	f.next = (f.next + 1) % len(f.backends)
	return slices.Concat(f.backends[f.next:], f.backends[:f.next])
}

func (f *front) lead(connection net.Conn) {
	defer connection.Close()
	for _, address := range f.order() {
		backend, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
		if err != nil {
			continue
		}
		defer backend.Close()
		go func() { _, _ = io.Copy(backend, connection) }()
		_, _ = io.Copy(connection, backend)
		return
	}
}
