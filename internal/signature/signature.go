// Package signature verifies who signed what comes from a registry: by keys that
// the fleet names, in the two forms that cosign writes.
package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Policy is what must be signed, and by which keys.
type Policy []Entry

// Entry asks for a key's signature on what comes from a place.
type Entry struct {
	// Prefix is the start of references, as normal writes them.
	Prefix string
	Key    Key
}

// Key verifies signatures.
type Key struct {
	// File is the file of the key, as the fleet file names it, and Origin where.
	File   string
	Origin fleet.Origin
	// verifiers are the ways in which the key may have signed.
	verifiers []signature.Verifier
}

// NewPolicy reads the keys that a fleet file names.
func NewPolicy(asked []fleet.Signature) (Policy, error) {
	var p Policy
	var problems []error
	for _, a := range asked {
		verifiers, err := readKey(a.PEM)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", a.Key.Origin, a.Key.Value, err))
			continue
		}
		p = append(p, Entry{Prefix: normal(a.For.Value), Key: Key{File: a.Key.Value, Origin: a.Key.Origin, verifiers: verifiers}})
	}
	return p, errors.Join(problems...)
}

// readKey accepts the keys whose signatures cosign makes over SHA-256, and Ed25519, by
// which it signs a text or, unless told otherwise, a digest of it.
func readKey(pem []byte) ([]signature.Verifier, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		return nil, errors.New("is not a public key in PEM; `cosign generate-key-pair` writes one as cosign.pub")
	}
	if curve, ok := public.(*ecdsa.PublicKey); ok && curve.Curve != elliptic.P256() {
		return nil, fmt.Errorf("is a key of the curve %s; ECDSA keys of P-256, RSA and Ed25519 keys are read", curve.Params().Name)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("is of no kind that is read (ECDSA of P-256, RSA, Ed25519): %w", err)
	}
	edwards, ok := public.(ed25519.PublicKey)
	if !ok {
		return []signature.Verifier{verifier}, nil
	}
	hashed, err := signature.LoadED25519phVerifier(edwards)
	return []signature.Verifier{verifier, hashed}, err
}

// Keys lists the keys of which one must have signed what a reference without tag
// and digest names (HOST/PATH/NAME): those of the longest prefix that covers it.
// None: nobody asks.
func (p Policy) Keys(reference string) (keys []Key) {
	longest := 0
	for _, e := range p {
		switch {
		case !covers(e.Prefix, normal(reference)) || len(e.Prefix) < longest:
		case len(e.Prefix) > longest:
			longest, keys = len(e.Prefix), []Key{e.Key}
		default:
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// covers ends at the borders of a path: "a/team" has nothing of "a/teams".
func covers(prefix, reference string) bool {
	rest, found := strings.CutPrefix(reference, prefix)
	return found && (rest == "" || rest[0] == '/')
}

// normal writes a host as registries know it, whatever its spelling.
func normal(reference string) string {
	host, path, _ := strings.Cut(strings.Trim(reference, "/"), "/")
	host = strings.TrimSuffix(strings.ToLower(host), ":443")
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = "index.docker.io"
	}
	if path == "" {
		return host
	}
	return host + "/" + path
}

// Proof is a signature with the text that it signs. It is verified again wherever
// it is read: nothing is taken from its having been verified once.
type Proof struct {
	// Payload is the text that names the digest.
	Payload string `json:"payload"`
	// PayloadType is that of an envelope (DSSE); empty: the payload is signed as it is.
	PayloadType string `json:"payloadType,omitempty"`
	// Signature is in base64.
	Signature string `json:"signature"`
}

// ErrNone is that there is no signature at all.
var ErrNone = errors.New("has no signature")

// Verify reports whether one of the keys made the signature, for this digest.
func Verify(keys []Key, p Proof, digest string) error {
	if p == (Proof{}) {
		return ErrNone
	}
	signed, err := base64.StdEncoding.DecodeString(p.Signature)
	if err != nil {
		return errors.New("has a signature that is not base64")
	}
	text := []byte(p.Payload)
	if p.PayloadType != "" {
		text = dsse.PAE(p.PayloadType, text)
	}
	if !slices.ContainsFunc(keys, func(k Key) bool { return k.made(signed, text) }) {
		return fmt.Errorf("has a signature, but none by the key %s", Names(keys))
	}
	return p.names(digest)
}

func (k Key) made(signed, text []byte) bool {
	return slices.ContainsFunc(k.verifiers, func(v signature.Verifier) bool {
		return v.VerifySignature(bytes.NewReader(signed), bytes.NewReader(text)) == nil
	})
}

// names reads what is signed, after it is known who signed it.
func (p Proof) names(digest string) error {
	if p.PayloadType != "" {
		return p.statementOf(digest)
	}
	var simple payload.SimpleContainerImage
	if err := json.Unmarshal([]byte(p.Payload), &simple); err != nil {
		return fmt.Errorf("has a signed text that is not JSON: %w", err)
	}
	if simple.Critical.Type != payload.CosignSignatureType {
		return fmt.Errorf("has a signed text of the type %q, not %q", simple.Critical.Type, payload.CosignSignatureType)
	}
	if got := simple.Critical.Image.DockerManifestDigest; got != digest {
		return fmt.Errorf("has a signature of another digest, %q", got)
	}
	return nil
}

// What `cosign sign` writes into an envelope; an attestation, which says something
// else of a digest, is no signature.
const (
	statementType = "application/vnd.in-toto+json"
	predicateType = "https://sigstore.dev/cosign/sign/v1"
)

func (p Proof) statementOf(digest string) error {
	var statement struct {
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if p.PayloadType != statementType {
		return fmt.Errorf("has a signed text of the type %q, not %q", p.PayloadType, statementType)
	}
	if err := json.Unmarshal([]byte(p.Payload), &statement); err != nil {
		return fmt.Errorf("has a signed text that is not JSON: %w", err)
	}
	if statement.PredicateType != predicateType {
		return fmt.Errorf("has an attestation (%q), which is no signature", statement.PredicateType)
	}
	for _, subject := range statement.Subject {
		if "sha256:"+subject.Digest["sha256"] == digest {
			return nil
		}
	}
	return errors.New("has a signature of another digest")
}

// Names are the keys' files, each with the place that names it.
func Names(keys []Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprintf("%s (%s)", k.File, k.Origin))
	}
	return strings.Join(out, " or ")
}
