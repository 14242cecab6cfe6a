package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// authorityKey is where the trusted authorities are in the Secret, next to
// tls.crt and tls.key.
const authorityKey = "ca.crt"

const (
	// overlap is how long the authority before the present one stays trusted.
	overlap = time.Hour
	// maxAuthorities bounds what repeated renewals within the overlap leave behind.
	maxAuthorities = 4
	// maxClockSkew is how far the clock of an API server may be behind ours.
	maxClockSkew = 5 * time.Minute
)

// Material is a serving certificate and the authorities that clients trust.
// It is never changed, only replaced.
type Material struct {
	certPEM, keyPEM []byte
	certificate     *tls.Certificate
	// authorities has the signer of the certificate first.
	authorities []*x509.Certificate
}

// Issue makes a certificate for a DNS name, signed by an authority that exists
// for nothing else. The authorities of previous, if any, stay trusted.
func Issue(dnsName string, now time.Time, validity time.Duration, previous *Material) (*Material, error) {
	authority, authorityPrivate, err := newAuthority(now, validity)
	if err != nil {
		return nil, fmt.Errorf("make a certificate authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template, err := newTemplate(now, validity)
	if err != nil {
		return nil, err
	}
	template.DNSNames = []string{dnsName}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityPrivate)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate for %s: %w", dnsName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key for %s: %w", dnsName, err)
	}
	return newMaterial(encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), append([]*x509.Certificate{authority}, stillTrusted(previous, now)...))
}

func newAuthority(now time.Time, validity time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := newTemplate(now, validity)
	if err != nil {
		return nil, nil, err
	}
	// Two authorities of one name would be hard to tell apart while both are trusted.
	template.Subject.CommonName = fmt.Sprintf("dynamo-operator webhook authority %s", now.UTC().Format(time.RFC3339Nano))
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	return authority, key, err
}

func newTemplate(now time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "dynamo-operator webhook"},
		NotBefore:    now.Add(-min(maxClockSkew, validity/10)),
		NotAfter:     now.Add(validity),
	}, nil
}

// Trusted is what clients trust by a bundle; nil if that names no authority. It
// has no certificate to serve and is of use as what was there before a renewal.
func Trusted(bundle []byte) *Material {
	authorities, err := parseCertificates(bundle)
	if err != nil {
		return nil
	}
	return &Material{authorities: authorities}
}

// stillTrusted returns the authorities that a renewal keeps.
func stillTrusted(m *Material, now time.Time) []*x509.Certificate {
	if m == nil {
		return nil
	}
	kept := slices.DeleteFunc(slices.Clone(m.authorities), func(a *x509.Certificate) bool { return now.After(a.NotAfter) })
	return kept[:min(len(kept), maxAuthorities-1)]
}

// Parse reads what Data() wrote, or what somebody else put into the Secret.
func Parse(data map[string][]byte) (*Material, error) {
	authorities, err := parseCertificates(data[authorityKey])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", authorityKey, err)
	}
	return newMaterial(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], authorities)
}

func newMaterial(certPEM, keyPEM []byte, authorities []*x509.Certificate) (*Material, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", corev1.TLSCertKey, corev1.TLSPrivateKeyKey, err)
	}
	signedBy := slices.IndexFunc(authorities, func(a *x509.Certificate) bool { return pair.Leaf.CheckSignatureFrom(a) == nil })
	if signedBy < 0 {
		return nil, fmt.Errorf("%s: has no authority that signed %s", authorityKey, corev1.TLSCertKey)
	}
	signer := authorities[signedBy]
	others := slices.Delete(slices.Clone(authorities), signedBy, signedBy+1)
	return &Material{
		certPEM: certPEM, keyPEM: keyPEM, certificate: &pair,
		authorities: append([]*x509.Certificate{signer}, others...),
	}, nil
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
	if len(found) == 0 {
		return nil, errors.New("holds no certificate")
	}
	return found, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Data is the content of the Secret.
func (m *Material) Data() map[string][]byte {
	return map[string][]byte{
		corev1.TLSCertKey:       m.certPEM,
		corev1.TLSPrivateKeyKey: m.keyPEM,
		authorityKey:            m.Bundle(),
	}
}

// Bundle is what clients are told to trust, as PEM.
func (m *Material) Bundle() []byte {
	var b bytes.Buffer
	for _, authority := range m.authorities {
		b.Write(encode("CERTIFICATE", authority.Raw))
	}
	return b.Bytes()
}

// Certificate is what a TLS server presents.
func (m *Material) Certificate() *tls.Certificate { return m.certificate }

// Same reports whether two materials serve the same certificate.
func (m *Material) Same(other *Material) bool {
	return m.certificate.Leaf.Equal(other.certificate.Leaf)
}

// servesFor says why the certificate cannot be served, or nil.
func (m *Material) servesFor(dnsName string, now time.Time) error {
	if err := m.certificate.Leaf.VerifyHostname(dnsName); err != nil {
		return err
	}
	if expiry := m.Expiry(); !now.Before(expiry) {
		return fmt.Errorf("it expired at %s", expiry.Format(time.RFC3339))
	}
	return nil
}

// Expiry is when the certificate or its authority ends.
func (m *Material) Expiry() time.Time {
	leaf, signer := m.certificate.Leaf.NotAfter, m.authorities[0].NotAfter
	if signer.Before(leaf) {
		return signer
	}
	return leaf
}

// renewAt is when a third of the certificate's life is left.
func (m *Material) renewAt() time.Time {
	return m.Expiry().Add(-m.Expiry().Sub(m.certificate.Leaf.NotBefore) / 3)
}

// dropAt is when authorities other than the signer are no longer needed.
func (m *Material) dropAt() time.Time {
	return m.certificate.Leaf.NotBefore.Add(maxClockSkew + overlap)
}

// withoutPast is the same certificate with none but its signer trusted.
func (m *Material) withoutPast() *Material {
	alone := *m
	alone.authorities = m.authorities[:1]
	return &alone
}
