// Package pki makes the keys and certificates of a cluster, and the kubeconfigs that carry them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// leafLifetime is ample: every start of a cluster issues its certificates anew.
	leafLifetime = 365 * 24 * time.Hour
	clockSkew    = time.Hour
)

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	PEM         []byte
}

// Subject is what a certificate says about its holder.
type Subject struct {
	User   string
	Groups []string
	Hosts  []string // names and addresses it may serve as
}

// Pair is a certificate and its key, PEM-encoded.
type Pair struct{ Certificate, Key []byte }

// LoadAuthority returns the authority kept as name.crt and name.key in dir, making it on first use.
func LoadAuthority(dir, name string) (*Authority, error) {
	pair, err := ReadPair(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		pair, err = newAuthority(name)
		if err == nil {
			err = pair.Write(dir, name)
		}
	}
	if err != nil {
		return nil, err
	}
	return parseAuthority(pair)
}

func newAuthority(name string) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template, err := newTemplate(name, nil, authorityLifetime)
	if err != nil {
		return Pair{}, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	return sign(template, template, key, key)
}

func parseAuthority(pair Pair) (*Authority, error) {
	certificateBlock, _ := pem.Decode(pair.Certificate)
	keyBlock, _ := pem.Decode(pair.Key)
	if certificateBlock == nil || keyBlock == nil {
		return nil, errors.New("damaged certificate authority")
	}
	certificate, err := x509.ParseCertificate(certificateBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key, PEM: pair.Certificate}, nil
}

// Issue makes a certificate that serves as every host of the subject and authenticates it as a client.
func (a *Authority) Issue(subject Subject) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template, err := newTemplate(subject.User, subject.Groups, leafLifetime)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(subject.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range subject.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return sign(template, a.certificate, key, a.key)
}

func newTemplate(name string, groups []string, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-clockSkew),
		NotAfter:     time.Now().Add(lifetime),
	}, nil
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (Pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return Pair{}, err
	}
	keyPEM, err := encodeKey(key)
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         keyPEM,
	}, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

// ReadPair reads name.crt and name.key from dir.
func ReadPair(dir, name string) (Pair, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return Pair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	return Pair{Certificate: certificate, Key: key}, err
}

// Write stores the pair as name.crt and name.key in dir; only the owner can read the key.
func (p Pair) Write(dir, name string) error {
	if err := state.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600); err != nil {
		return err
	}
	return state.WriteFile(filepath.Join(dir, name+".crt"), p.Certificate, 0o644)
}

// EnsureSigningKey makes the key that signs service account tokens as name.key and name.pub, unless it is there:
// tokens handed out before a restart stay valid.
func EnsureSigningKey(dir, name string) error {
	private := filepath.Join(dir, name+".key")
	if _, err := os.Stat(private); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	if err := state.WriteFile(filepath.Join(dir, name+".pub"), publicPEM, 0o644); err != nil {
		return err
	}
	if err := state.WriteFile(private, keyPEM, 0o600); err != nil {
		return fmt.Errorf("service account key: %w", err)
	}
	return nil
}
