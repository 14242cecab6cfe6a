package certs

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
)

const (
	service = "dynamo-webhook-service.inference.svc"
	year    = 365 * 24 * time.Hour
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func issued(t *testing.T, now time.Time, previous *certs.Material) *certs.Material {
	t.Helper()
	m, err := certs.Issue(service, now, year, previous)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func planned(t *testing.T, stored *certs.Material, problem error, served *certs.Material, now time.Time) certs.Plan {
	t.Helper()
	p, err := certs.Next(stored, problem, served, service, now, year)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// connects reports whether a client that trusts a bundle accepts a certificate.
func connects(t *testing.T, served *tls.Certificate, bundle []byte, now time.Time) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := served.Leaf.Verify(x509.VerifyOptions{
		DNSName: service, Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

// TestTenYears lives through all renewals: at no time does a client that is up
// to date, or one renewal step behind, meet a certificate that it does not trust.
func TestTenYears(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	serving := &Serving{clock: clock}
	now := start
	p := planned(t, nil, errNoSecret, nil, now)
	writes, bundle := 1, p.Use.Bundle()
	serving.offer(p.Use)
	check := func(what string) {
		t.Helper()
		certificate, err := serving.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		if err := connects(t, certificate, bundle, clock.Now()); err != nil {
			t.Fatalf("%s, %s: %v", clock.Now(), what, err)
		}
	}
	for now.Before(start.Add(10 * year)) {
		now = p.Again
		clock.SetTime(now)
		check("before the step")
		p = planned(t, p.Use, nil, serving.known(), now)
		if p.Why != "" {
			writes++
		}
		bundle = p.Use.Bundle()
		check("the new authority is trusted")
		serving.offer(p.Use)
		check("the new certificate is offered")
		clock.SetTime(now.Add(certs.Settle))
		check("the new certificate is served")
		if serving.known() != p.Use {
			t.Fatal("the new certificate was not taken into service")
		}
	}
	// Two writes for each of the renewals, one every 243 days, and the first.
	if want := 2*15 + 1; writes < want-2 || writes > want+2 {
		t.Errorf("%d writes of the Secret in ten years, want about %d", writes, want)
	}
}

func TestServing(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	serving := &Serving{clock: clock}
	serves := func() *certs.Material {
		t.Helper()
		if _, err := serving.GetCertificate(nil); err != nil {
			t.Fatal(err)
		}
		return serving.present
	}
	if _, err := serving.GetCertificate(nil); err == nil || serving.Ready(nil) == nil {
		t.Error("without a certificate the server is not ready")
	}
	first := issued(t, start, nil)
	serving.offer(first)
	if serves() != first || serving.Ready(nil) != nil {
		t.Error("the first certificate is served at once")
	}
	second := issued(t, start, first)
	serving.offer(second)
	if serves() != first || serving.known() != second {
		t.Error("the second waits until clients had the time to learn of its authority")
	}
	clock.SetTime(start.Add(certs.Settle - time.Millisecond))
	serving.offer(second)
	clock.SetTime(start.Add(certs.Settle))
	if serves() != second {
		t.Error("offering the second again must not make it wait longer")
	}
	alone := planned(t, second, nil, second, start.Add(2*time.Hour)).Use
	serving.offer(alone)
	if serves() != alone {
		t.Error("the same certificate with fewer authorities needs no wait")
	}
}
