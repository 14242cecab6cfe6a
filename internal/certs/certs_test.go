package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	service = "dynamo-webhook-service.inference.svc"
	year    = 365 * 24 * time.Hour
)

var (
	start      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errNothing = errors.New("there is no Secret")
)

func issued(t *testing.T, now time.Time, previous *Material) *Material {
	t.Helper()
	m, err := Issue(service, now, year, previous)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func planned(t *testing.T, stored *Material, problem error, served *Material, now time.Time) Plan {
	t.Helper()
	p, err := Next(stored, problem, served, service, now, year)
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
		if err := connects(t, m, m.Bundle(), now); err != nil {
			t.Errorf("at %s: %v", now, err)
		}
	}
	stored, err := Parse(m.Data())
	if err != nil {
		t.Fatal(err)
	}
	if !m.Same(stored) || !bytes.Equal(m.Bundle(), stored.Bundle()) {
		t.Error("what is read back differs from what was stored")
	}
	for key, value := range m.Data() {
		if bytes.Contains(value, []byte("PRIVATE KEY")) != (key == corev1.TLSPrivateKeyKey) {
			t.Errorf("%s: only tls.key holds a key, and the authority's key is in nothing", key)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	one, other := issued(t, start, nil).Data(), issued(t, start, nil).Data()
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
		if _, err := Parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
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
		"first start":                 {nil, errNothing, nil, start, "no Secret", 1},
		"the Secret was deleted":      {nil, errNothing, fresh, start, "no Secret", 2},
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
			if (test.why == "") != (p.Why == "") || !strings.Contains(p.Why, test.why) {
				t.Errorf("writes because %q, want %q", p.Why, test.why)
			}
			if got := len(p.Use.authorities); got != test.trusted {
				t.Errorf("%d authorities are trusted, want %d", got, test.trusted)
			}
			if !p.Again.After(test.now) {
				t.Errorf("plans again at %s, which is not after %s", p.Again, test.now)
			}
			if settled := planned(t, p.Use, nil, p.Use, test.now); settled.Why != "" {
				t.Errorf("is not content with its own result: %s", settled.Why)
			}
		})
	}
}

func TestACertificateForAnotherServiceIsReplaced(t *testing.T) {
	elsewhere, err := Issue("other.inference.svc", start, year, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := planned(t, elsewhere, nil, nil, start); !strings.Contains(p.Why, "other.inference.svc") {
		t.Errorf("writes because %q, want the other name", p.Why)
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

// TestWhatIsTrustedStaysTrusted: a Secret that was deleted while its certificate
// is still served.
func TestWhatIsTrustedStaysTrusted(t *testing.T) {
	served := issued(t, start, nil)
	p := planned(t, nil, errNothing, Trusted(served.Bundle()), start.Add(time.Hour))
	if err := connects(t, served, p.Use.Bundle(), start.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if Trusted(nil) != nil || Trusted([]byte("none")) != nil {
		t.Error("a bundle without an authority trusts nothing")
	}
}
