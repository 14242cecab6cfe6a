package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

const (
	service = "dynamo-webhook-service.inference.svc"
	year    = 365 * 24 * time.Hour
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func issued(t *testing.T, now time.Time, previous *Material) *Material {
	t.Helper()
	m, err := issue(service, now, year, previous)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func planned(t *testing.T, stored *Material, problem error, served *Material, now time.Time) plan {
	t.Helper()
	p, err := next(stored, problem, served, service, now, year)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// connects reports whether a client that trusts a bundle accepts a certificate.
func connects(t *testing.T, served *Material, bundle []byte, now time.Time) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := served.certificate.Leaf.Verify(x509.VerifyOptions{
		DNSName: service, Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func TestIssuedCertificateIsTrustedAndSurvivesTheSecret(t *testing.T) {
	m := issued(t, start, nil)
	for _, now := range []time.Time{start.Add(-maxClockSkew), start, start.Add(year - time.Second)} {
		if err := connects(t, m, m.bundle(), now); err != nil {
			t.Errorf("at %s: %v", now, err)
		}
	}
	stored, err := parse(m.data())
	if err != nil {
		t.Fatal(err)
	}
	if !sameCertificate(m, stored) || !bytes.Equal(m.bundle(), stored.bundle()) {
		t.Error("what is read back differs from what was stored")
	}
	for key, value := range m.data() {
		if bytes.Contains(value, []byte("PRIVATE KEY")) != (key == corev1.TLSPrivateKeyKey) {
			t.Errorf("%s: only tls.key holds a key, and the authority's key is in nothing", key)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	one, other := issued(t, start, nil).data(), issued(t, start, nil).data()
	for name, test := range map[string]struct {
		data map[string][]byte
		want string
	}{
		"nothing":           {nil, "ca.crt: holds no certificate"},
		"text":              {map[string][]byte{"ca.crt": []byte("none")}, "ca.crt: holds no certificate"},
		"no certificate":    {map[string][]byte{"ca.crt": one["ca.crt"]}, "tls.crt and tls.key"},
		"another's key":     {map[string][]byte{"ca.crt": one["ca.crt"], "tls.crt": one["tls.crt"], "tls.key": other["tls.key"]}, "tls.crt and tls.key"},
		"another authority": {map[string][]byte{"ca.crt": other["ca.crt"], "tls.crt": one["tls.crt"], "tls.key": one["tls.key"]}, "no authority that signed tls.crt"},
	} {
		if _, err := parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestNext(t *testing.T) {
	fresh := issued(t, start, nil)
	renewed := issued(t, start, fresh)
	for name, test := range map[string]struct {
		stored  *Material
		problem error
		served  *Material
		now     time.Time
		// why is a part of the reason to write; empty means that nothing is written.
		why string
		// trusted is how many authorities are trusted afterwards.
		trusted int
	}{
		"first start":                 {nil, errNoSecret, nil, start, "no Secret", 1},
		"the Secret was deleted":      {nil, errNoSecret, fresh, start, "no Secret", 2},
		"the Secret was damaged":      {nil, errors.New("ca.crt: holds no certificate"), fresh, start, "holds no certificate", 2},
		"a good certificate":          {fresh, nil, nil, start, "", 1},
		"long before the renewal":     {fresh, nil, fresh, start.Add(240 * 24 * time.Hour), "", 1},
		"a third of its life is left": {fresh, nil, fresh, start.Add(244 * 24 * time.Hour), "expires at 2027-03-01", 2},
		"expired during a long pause": {fresh, nil, nil, start.Add(2 * year), "it expired", 1},
		"within the overlap":          {renewed, nil, renewed, start.Add(overlap - time.Minute), "", 2},
		"after the overlap":           {renewed, nil, renewed, start.Add(overlap + time.Minute), "no longer needed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, test.stored, test.problem, test.served, test.now)
			if (test.why == "") != (p.why == "") || !strings.Contains(p.why, test.why) {
				t.Errorf("writes because %q, want %q", p.why, test.why)
			}
			if got := len(p.use.authorities); got != test.trusted {
				t.Errorf("%d authorities are trusted, want %d", got, test.trusted)
			}
			if !p.again.After(test.now) {
				t.Errorf("plans again at %s, which is not after %s", p.again, test.now)
			}
			if settled := planned(t, p.use, nil, p.use, test.now); settled.why != "" {
				t.Errorf("is not content with its own result: %s", settled.why)
			}
		})
	}
}

func TestACertificateForAnotherServiceIsReplaced(t *testing.T) {
	elsewhere, err := issue("other.inference.svc", start, year, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := planned(t, elsewhere, nil, nil, start); !strings.Contains(p.why, "other.inference.svc") {
		t.Errorf("writes because %q, want the other name", p.why)
	}
}

// TestTenYears lives through all renewals: at no time does a client that is up
// to date, or one renewal step behind, meet a certificate that it does not trust.
func TestTenYears(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	serving := &Serving{clock: clock}
	now := start
	p := planned(t, nil, errNoSecret, nil, now)
	writes, bundle := 1, p.use.bundle()
	serving.offer(p.use)
	check := func(what string) {
		t.Helper()
		certificate, err := serving.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		if err := connects(t, &Material{certificate: certificate}, bundle, clock.Now()); err != nil {
			t.Fatalf("%s, %s: %v", clock.Now(), what, err)
		}
	}
	for now.Before(start.Add(10 * year)) {
		now = p.again
		clock.SetTime(now)
		check("before the step")
		p = planned(t, p.use, nil, serving.known(), now)
		if p.why != "" {
			writes++
		}
		bundle = p.use.bundle()
		check("the new authority is trusted")
		serving.offer(p.use)
		check("the new certificate is offered")
		clock.SetTime(now.Add(settle))
		check("the new certificate is served")
		if serving.known() != p.use {
			t.Fatal("the new certificate was not taken into service")
		}
	}
	// Two writes for each of the renewals, one every 243 days, and the first.
	if want := 2*15 + 1; writes < want-2 || writes > want+2 {
		t.Errorf("%d writes of the Secret in ten years, want about %d", writes, want)
	}
}

func TestRepeatedRenewalsDoNotPileUp(t *testing.T) {
	m := issued(t, start, nil)
	for range 10 {
		m = issued(t, start, m)
	}
	if got := len(m.authorities); got != maxAuthorities {
		t.Errorf("%d authorities are trusted, want %d", got, maxAuthorities)
	}
}

func TestServing(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	serving := &Serving{clock: clock}
	serves := func() *Material {
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
	clock.SetTime(start.Add(settle - time.Millisecond))
	serving.offer(second)
	clock.SetTime(start.Add(settle))
	if serves() != second {
		t.Error("offering the second again must not make it wait longer")
	}
	alone := second.withoutPast()
	serving.offer(alone)
	if serves() != alone {
		t.Error("the same certificate with fewer authorities needs no wait")
	}
}
