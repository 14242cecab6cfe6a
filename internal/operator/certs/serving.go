package certs

import (
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
)

var errNoCertificate = errors.New("the webhook certificate is not ready yet")

// Serving holds the certificate that a TLS server presents.
type Serving struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	present  *certs.Material
	coming   *certs.Material
	comingAt time.Time
	trusted  bool
}

// GetCertificate is for tls.Config.
func (s *Serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance()
	if s.present == nil {
		return nil, errNoCertificate
	}
	return s.present.Certificate(), nil
}

// Ready is a health check: there is a certificate, and the webhook
// configurations name its authority.
func (s *Serving) Ready(*http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.trusted {
		return errNoCertificate
	}
	return nil
}

// offer serves m now if nothing is served yet, and else as soon as API servers
// have had the time to learn of its authority.
func (s *Serving) offer(m *certs.Material) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = true
	s.advance()
	switch {
	case s.present == nil || s.present.Same(m):
		s.present, s.coming = m, nil
	case s.coming != nil && s.coming.Same(m):
		s.coming = m
	default:
		s.coming, s.comingAt = m, s.clock.Now().Add(certs.Settle)
	}
}

// known is the newest material that this process used.
func (s *Serving) known() *certs.Material {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.coming != nil {
		return s.coming
	}
	return s.present
}

func (s *Serving) advance() {
	if s.coming != nil && !s.clock.Now().Before(s.comingAt) {
		s.present, s.coming = s.coming, nil
	}
}
