package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
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
type Server struct{ ctrlwebhook.Server }

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
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: host, Port: int(port),
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.GetCertificate = certificate }},
	})
	for path, hook := range Handlers(o) {
		server.Register(path, hook)
	}
	return &Server{server}, nil
}

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, stop) })()
	if err := s.Server.Start(serving); err != nil {
		return fmt.Errorf("serve the admission webhooks: %w", err)
	}
	return nil
}
