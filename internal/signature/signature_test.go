package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sigstore "github.com/sigstore/sigstore/pkg/signature"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

type signer struct {
	sigstore.Signer
	pem []byte
}

func newSigner(t *testing.T, private crypto.Signer) signer {
	t.Helper()
	s, err := sigstore.LoadSigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{s, pem}
}

func ecdsaSigner(t *testing.T) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, private)
}

func (s signer) sign(t *testing.T, text []byte) string {
	t.Helper()
	signed, err := s.SignMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signed)
}

func (s signer) keys(t *testing.T) []signature.Key {
	t.Helper()
	return policy(t, "r.example.com", s.pem).Keys("r.example.com/a")
}

// simple is what cosign signs by itself, statement what it signs in an envelope.
func simple(digest string) string {
	return `{"critical":{"identity":{"docker-reference":"r/a"},"image":{"docker-manifest-digest":"` + digest + `"},"type":"cosign container image signature"},"optional":null}`
}

func statement(predicate, digest string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q}`, strings.TrimPrefix(digest, "sha256:"), predicate)
}

const (
	inToto    = "application/vnd.in-toto+json"
	predicate = "https://sigstore.dev/cosign/sign/v1"
)

func policy(t *testing.T, prefix string, pem []byte) signature.Policy {
	t.Helper()
	p, err := signature.NewPolicy([]fleet.Signature{asked(prefix, "key.pub", pem)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asked(prefix, file string, pem []byte) fleet.Signature {
	at := fleet.Origin{File: "fleet.yaml", Line: 7, Column: 3}
	return fleet.Signature{For: fleet.Located[string]{Value: prefix, Origin: at}, Key: fleet.Located[string]{Value: file, Origin: at}, PEM: pem}
}

func TestKeysOfEveryKindThatCosignMakes(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hashed := newSigner(t, edwards)
	if hashed.Signer, err = sigstore.LoadED25519phSigner(edwards); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]signer{"ECDSA": ecdsaSigner(t), "RSA": newSigner(t, small), "Ed25519": newSigner(t, edwards), "Ed25519ph": hashed} {
		t.Run(name, func(t *testing.T) {
			keys := s.keys(t)
			if err := signature.Verify(keys, signature.Proof{Payload: simple(digest), Signature: s.sign(t, []byte(simple(digest)))}, digest); err != nil {
				t.Error(err)
			}
			text := statement(predicate, digest)
			enveloped := signature.Proof{Payload: text, PayloadType: inToto, Signature: s.sign(t, dsse.PAE(inToto, []byte(text)))}
			if err := signature.Verify(keys, enveloped, digest); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsNoSignatureOfTheDigest(t *testing.T) {
	s, other := ecdsaSigner(t), ecdsaSigner(t)
	elsewhere := strings.Replace(digest, "1", "2", 1)
	plain := func(text string) signature.Proof {
		return signature.Proof{Payload: text, Signature: s.sign(t, []byte(text))}
	}
	enveloped := func(kind, text string) signature.Proof {
		return signature.Proof{Payload: text, PayloadType: kind, Signature: s.sign(t, dsse.PAE(kind, []byte(text)))}
	}
	for want, proof := range map[string]signature.Proof{
		"has no signature":                {},
		"none by the key":                 {Payload: simple(digest), Signature: other.sign(t, []byte(simple(digest)))},
		"not base64":                      {Payload: simple(digest), Signature: "%"},
		"signature of another digest":     plain(simple(elsewhere)),
		"not JSON":                        plain("{"),
		`of the type ""`:                  plain("{}"),
		"none by the key key.pub (fleet.": {Payload: simple(digest) + " ", Signature: plain(simple(digest)).Signature},
		"which is no signature":           enveloped(inToto, statement("https://slsa.dev/provenance/v1", digest)),
		`of the type "text/plain"`:        enveloped("text/plain", statement(predicate, digest)),
		"of another digest":               enveloped(inToto, statement(predicate, elsewhere)),
		"text that is not JSON":           enveloped(inToto, "]"),
		"(fleet.yaml:7:3)":                {Payload: simple(digest), PayloadType: inToto, Signature: plain(simple(digest)).Signature},
	} {
		if err := signature.Verify(s.keys(t), proof, digest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that says %q: %v", want, err)
		}
	}
}

func TestTheLongestPrefixDecidesAndEndsAtAPathsBorder(t *testing.T) {
	wide, narrow, second := ecdsaSigner(t), ecdsaSigner(t), ecdsaSigner(t)
	p, err := signature.NewPolicy([]fleet.Signature{
		asked("R.example.com:443/", "wide", wide.pem), asked("r.example.com/team/", "narrow", narrow.pem), asked("r.example.com/team", "second", second.pem),
		asked("docker.io/library", "hub", wide.pem),
	})
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{
		"r.example.com/a":                 "wide",
		"r.example.com":                   "wide",
		"r.EXAMPLE.com/a":                 "wide",
		"r.example.com/teams":             "wide",
		"r.example.com/team/a":            "narrow second",
		"r.example.com/team":              "narrow second",
		"r.example.com:5000/a":            "",
		"r.example.company/a":             "",
		"other.example.com/r.example.com": "",
		"index.docker.io/library/nginx":   "hub",
		"docker.io/library/nginx":         "hub",
		"docker.io/other/nginx":           "",
	} {
		var got []string
		for _, k := range p.Keys(reference) {
			got = append(got, k.File)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}

// Either of two keys for the same place may have signed: so one replaces the other.
func TestOneOfTheKeysIsEnough(t *testing.T) {
	old, young := ecdsaSigner(t), ecdsaSigner(t)
	p, err := signature.NewPolicy([]fleet.Signature{asked("r", "old", old.pem), asked("r", "young", young.pem)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []signer{old, young} {
		if err := signature.Verify(p.Keys("r/a"), signature.Proof{Payload: simple(digest), Signature: s.sign(t, []byte(simple(digest)))}, digest); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsNoKeyIsSaidWithItsPlace(t *testing.T) {
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := cryptoutils.MarshalPrivateKeyToPEM(wide)
	if err != nil {
		t.Fatal(err)
	}
	for want, pem := range map[string][]byte{
		"fleet.yaml:7:3: key.pub: is not a public key in PEM": []byte("nothing"),
		"is not a public key": private,
		"of the curve P-384":  newSigner(t, wide).pem,
	} {
		if _, err := signature.NewPolicy([]fleet.Signature{asked("r", "key.pub", pem)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that says %q: %v", want, err)
		}
	}
}
