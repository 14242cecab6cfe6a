package chart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// Signature is why a locked chart is trusted, so that it can be verified again
// without a registry: a key signed the digest of the manifest, which names the package.
type Signature struct {
	Manifest string `json:"manifest"`
	signature.Proof
}

// What a registry gives is bounded, whatever it says of it.
const (
	// maxSigned is the largest manifest or signature that is read, in bytes.
	maxSigned = 1 << 20
	// maxSignatures is how many signatures of one digest are looked at.
	maxSignatures = 50
	// signaturesTimeout bounds the search for them.
	signaturesTimeout = 2 * time.Minute
)

// The forms in which cosign stores signatures.
const (
	simpleSigning       = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	sigstoreBundle      = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// keysFor lists the keys of which one must have signed a chart; none: nobody asks. What is
// asked follows from what the fleet names, not from where the chart was found.
func keysFor(d Dependency, trusted signature.Policy) []signature.Key {
	if !InRegistry(d.Repository) {
		return nil
	}
	return trusted.Keys(strings.TrimPrefix(strings.TrimRight(d.Repository, "/"), ociScheme) + "/" + d.Name)
}

// Verify reports whether a locked chart is signed as the fleet asks.
func (l Locked) Verify(trusted signature.Policy) error {
	keys := keysFor(dependencyOf(l), trusted)
	if len(keys) == 0 {
		return nil
	}
	if err := l.verify(keys); err != nil {
		return fmt.Errorf("%s (%s) in %s %w; %s asks for one. `wheelhouse deps lock` looks for it in the registry", l, l.Digest, LockName, err, signature.Names(keys))
	}
	return nil
}

func (l Locked) verify(keys []signature.Key) error {
	manifest := []byte(l.Signature.Manifest)
	if err := signature.Verify(keys, l.Signature.Proof, digestBytes(manifest)); err != nil {
		return err
	}
	at, err := packageIn(manifest)
	if err != nil {
		return fmt.Errorf("has a signature of something else: it %w", err)
	}
	if at.digest != l.Digest {
		return fmt.Errorf("has a signature of another package, %s", at.digest)
	}
	return nil
}

// sign finds the signature that the fleet asks for, and keeps it with the chart.
func (f *Fetcher) sign(ctx context.Context, c Locked) (Locked, error) {
	keys := keysFor(dependencyOf(c), f.Signatures)
	if len(keys) == 0 {
		return c, nil
	}
	if !InRegistry(c.URL) {
		return c, fmt.Errorf("%s asks for a signature, and %s, where the chart is, is no registry and has none: lock it from the registry, and commit the lock", signature.Names(keys), c.URL)
	}
	repository, err := f.repository(c.URL)
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, signaturesTimeout)
	defer cancel()
	subject, manifest, err := fetchManifest(ctx, repository, repository.Reference.Reference, maxSigned)
	if err != nil {
		return c, err
	}
	c.Signature = Signature{Manifest: string(manifest)}
	c.Signature.Proof, err = findProof(ctx, repository, subject, keys)
	if err == nil {
		err = c.verify(keys)
	}
	if err != nil {
		return c, unsigned(repository, subject, keys, err)
	}
	return c, nil
}

// unsigned says what to do about what is not signed.
func unsigned(repository *remote.Repository, subject ocispec.Descriptor, keys []signature.Key, err error) error {
	exact := repository.Reference.Registry + "/" + repository.Reference.Repository + "@" + subject.Digest.String()
	return fmt.Errorf("%s %w, and %s asks for one; after a look at it, sign it with `cosign sign --key KEY %s`", exact, err, signature.Names(keys), exact)
}

// findProof looks for a signature by one of the keys, in either form. Those that
// are no good are passed over: a repository may hold anybody's.
func findProof(ctx context.Context, repository *remote.Repository, subject ocispec.Descriptor, keys []signature.Key) (signature.Proof, error) {
	why := signature.ErrNone
	for _, form := range []iter.Seq2[signature.Proof, error]{tagged(ctx, repository, subject), referring(ctx, repository, subject)} {
		for proof, err := range form {
			if err != nil {
				why = fmt.Errorf("has a signature that cannot be read (%w)", err)
				continue
			}
			if why = signature.Verify(keys, proof, subject.Digest.String()); why == nil {
				return proof, nil
			}
		}
	}
	return signature.Proof{}, why
}

// tagged lists the signatures under the tag that cosign gives them: layers of a
// manifest, each a signed text, with the signature beside it.
func tagged(ctx context.Context, repository *remote.Repository, subject ocispec.Descriptor) iter.Seq2[signature.Proof, error] {
	return func(yield func(signature.Proof, error) bool) {
		_, manifest, err := fetchManifest(ctx, repository, "sha256-"+subject.Digest.Encoded()+".sig", maxSigned)
		if errors.Is(err, errNotFound) {
			return
		}
		if err != nil {
			yield(signature.Proof{}, err)
			return
		}
		for _, layer := range first(maxSignatures, layersOf(manifest)) {
			signed := layer.Annotations[signatureAnnotation]
			if layer.MediaType != simpleSigning || signed == "" {
				continue
			}
			text, err := fetchText(ctx, repository, layer)
			if !yield(signature.Proof{Payload: text, Signature: signed}, err) {
				return
			}
		}
	}
}

// errEnough ends a list.
var errEnough = errors.New("enough")

// referring lists the signatures that refer to a manifest: bundles of Sigstore.
func referring(ctx context.Context, repository *remote.Repository, subject ocispec.Descriptor) iter.Seq2[signature.Proof, error] {
	return func(yield func(signature.Proof, error) bool) {
		repository.ReferrerListMaxPages = maxSignatures
		var referrers []ocispec.Descriptor
		err := repository.Referrers(ctx, subject, "", func(page []ocispec.Descriptor) error {
			for _, referrer := range page {
				switch referrer.ArtifactType {
				case sigstoreBundle, "", ocispec.MediaTypeEmptyJSON: // some registries tell that of the configuration
					referrers = append(referrers, referrer)
				}
			}
			if len(referrers) >= maxSignatures {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(signature.Proof{}, err)
			return
		}
		for _, referrer := range first(maxSignatures, referrers) {
			proofs, err := bundled(ctx, repository, referrer)
			if err != nil && !yield(signature.Proof{}, err) {
				return
			}
			for _, proof := range proofs {
				if !yield(proof, nil) {
					return
				}
			}
		}
	}
}

// bundled reads the envelope in a bundle. Its other parts, certificates and entries
// of a log, say nothing about a key.
func bundled(ctx context.Context, repository *remote.Repository, referrer ocispec.Descriptor) (proofs []signature.Proof, err error) {
	_, manifest, err := fetchManifest(ctx, repository, referrer.Digest.String(), maxSigned)
	if err != nil {
		return nil, err
	}
	layers := layersOf(manifest)
	if len(layers) != 1 || layers[0].MediaType != sigstoreBundle {
		return nil, nil
	}
	text, err := fetchText(ctx, repository, layers[0])
	if err != nil {
		return nil, err
	}
	var bundle struct {
		Envelope struct {
			Payload     []byte `json:"payload"`
			PayloadType string `json:"payloadType"`
			Signatures  []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal([]byte(text), &bundle); err != nil {
		return nil, fmt.Errorf("the bundle %s is not JSON: %w", layers[0].Digest, err)
	}
	envelope := bundle.Envelope
	if envelope.PayloadType == "" || !utf8.Valid(envelope.Payload) {
		return nil, nil
	}
	for _, s := range first(maxSignatures, envelope.Signatures) {
		proofs = append(proofs, signature.Proof{Payload: string(envelope.Payload), PayloadType: envelope.PayloadType, Signature: s.Sig})
	}
	return proofs, nil
}

func first[T any](n int, list []T) []T { return list[:min(n, len(list))] }

// layersOf is what a manifest is made of; of what is no manifest, nothing.
func layersOf(manifest []byte) []ocispec.Descriptor {
	var m ocispec.Manifest
	if json.Unmarshal(manifest, &m) != nil {
		return nil
	}
	return m.Layers
}

// fetchManifest reads a manifest by tag or digest.
func fetchManifest(ctx context.Context, repository *remote.Repository, reference string, limit int64) (ocispec.Descriptor, []byte, error) {
	descriptor, body, err := repository.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return descriptor, nil, registryError(err)
	}
	defer func() { _ = body.Close() }()
	if err := checkDescriptor(descriptor, limit); err != nil {
		return descriptor, nil, err
	}
	data, err := content.ReadAll(body, descriptor)
	return descriptor, data, err
}

// fetchText reads a signed text, which a lock can keep.
func fetchText(ctx context.Context, repository *remote.Repository, layer ocispec.Descriptor) (string, error) {
	if err := checkDescriptor(layer, maxSigned); err != nil {
		return "", err
	}
	body, err := repository.Blobs().Fetch(ctx, layer)
	if err != nil {
		return "", registryError(err)
	}
	defer func() { _ = body.Close() }()
	data, err := content.ReadAll(body, layer)
	if err == nil && !utf8.Valid(data) {
		err = fmt.Errorf("%s is not text", layer.Digest)
	}
	return string(data), err
}

func checkDescriptor(d ocispec.Descriptor, limit int64) error {
	if !digestFormat.MatchString(d.Digest.String()) {
		return fmt.Errorf("the digest %q is not supported", d.Digest)
	}
	if d.Size < 0 || d.Size > limit {
		return fmt.Errorf("%s has %d bytes; %d are read", d.Digest, d.Size, limit)
	}
	return nil
}
