package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func TestAnIssuedCertificateServesItsHostsAndNamesItsUser(t *testing.T) {
	authority, err := LoadAuthority(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Subject{User: "system:node:n", Groups: []string{"system:nodes"}, Hosts: []string{"node.test", "10.200.0.2"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	for _, host := range []string{"node.test", "10.200.0.2"} {
		if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("as %s: %v", host, err)
		}
	}
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.test"}); err == nil {
		t.Error("it serves as a host that was not asked for")
	}
	if name := certificate.Leaf.Subject; name.CommonName != "system:node:n" || name.Organization[0] != "system:nodes" {
		t.Errorf("it names %s", name)
	}
}

func TestAClientCertificateCannotServe(t *testing.T) {
	authority, err := LoadAuthority(t.TempDir(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Subject{User: "drydock-admin"})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM)
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("it may serve")
	}
}

func TestAuthorityAndSigningKeySurviveARestart(t *testing.T) {
	dir := t.TempDir()
	var authorities, keys [2][]byte
	for i := range 2 {
		authority, err := LoadAuthority(dir, "ca")
		if err != nil {
			t.Fatal(err)
		}
		if err := EnsureSigningKey(dir, "sa"); err != nil {
			t.Fatal(err)
		}
		authorities[i] = authority.PEM
		if keys[i], err = os.ReadFile(filepath.Join(dir, "sa.key")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(authorities[0], authorities[1]) || !bytes.Equal(keys[0], keys[1]) {
		t.Error("they were made anew")
	}
}

func TestKeysAreForTheOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadAuthority(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	if err := EnsureSigningKey(dir, "sa"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.key", "sa.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}
