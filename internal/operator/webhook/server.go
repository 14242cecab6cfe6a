package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

// farewell is how long requests are still answered after the order to stop:
// for a moment, API servers go on sending them here.
const farewell = 3 * time.Second

// Certificate chooses what a TLS server presents.
type Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Server serves webhooks in every replica, the leader or not. A manager stops
// it after everything else.
type Server struct {
	ctrlwebhook.Server
	leaving *atomic.Bool
}

// NewServer returns a server of the webhooks for an address such as :9443.
func NewServer(address string, certificate Certificate, o Options) (*Server, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("webhook address %q: %w", address, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("webhook address %q: %w", address, err)
	}
	server := &Server{leaving: &atomic.Bool{}, Server: ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: host, Port: int(port),
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificate }},
	})}
	for path, hook := range Handlers(o) {
		server.Register(path, server.partingFrom(hook))
	}
	return server, nil
}

// partingFrom asks clients, during the farewell, not to use their connection
// again. API servers speak HTTP/1.1 to webhooks and keep connections for long,
// past any change of the Service; one that is closed without a word loses the
// request that was on its way.
func (s *Server) partingFrom(hook http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		hook.ServeHTTP(w, r)
	})
}

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		s.leaving.Store(true)
		time.AfterFunc(farewell, stop)
	})()
	if err := s.Server.Start(serving); err != nil {
		return fmt.Errorf("serve the admission webhooks: %w", err)
	}
	return nil
}
