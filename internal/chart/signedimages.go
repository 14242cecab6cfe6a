package chart

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// LockedImage is an image that a key signed by its digest.
type LockedImage struct {
	Image
	signature.Proof
}

// imageKeys lists the keys of which one must have signed an image; none: nobody asks.
func imageKeys(image string, trusted signature.Policy) []signature.Key {
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil // it names no place
	}
	return trusted.Keys(ref.Context().Name())
}

// VerifyImage reports whether an image must be signed, and why it is not known to be.
func (l *Lock) VerifyImage(image string, trusted signature.Policy) (asked bool, why error) {
	keys := imageKeys(image, trusted)
	if len(keys) == 0 {
		return false, nil
	}
	locked, found := l.FindImage(image)
	if !found {
		return true, fmt.Errorf("is not in %s, and %s asks for its signature", LockName, signature.Names(keys))
	}
	if err := signature.Verify(keys, locked.Proof, locked.Digest); err != nil {
		return true, fmt.Errorf("%w in %s, and %s asks for one", err, LockName, signature.Names(keys))
	}
	return true, nil
}

// FindImage returns what an image is locked to. One that names its digest is what
// it names, under whatever tag it was locked.
func (l *Lock) FindImage(image string) (LockedImage, bool) {
	pinned := PinnedDigest(image)
	for _, known := range l.Images {
		if pinned != "" && known.Digest == pinned || pinned == "" && known.Reference == image {
			return known, true
		}
	}
	return LockedImage{}, false
}

func (l *Lock) putImage(image LockedImage) {
	l.Images = slices.DeleteFunc(l.Images, func(old LockedImage) bool { return old.Reference == image.Reference })
	l.Images = append(l.Images, image)
}

// LockImages finds the signatures of those images of which the fleet asks for one, and
// adds them to the lock. What is locked stays as it is, unless update: other clusters of
// the fleet may run it.
func (f *Fetcher) LockImages(ctx context.Context, images []string, lock *Lock, update bool) error {
	images = slices.DeleteFunc(slices.Clone(images), func(image string) bool { return len(imageKeys(image, f.Signatures)) == 0 })
	found := make([]LockedImage, len(images))
	err := parallel(ctx, len(images), func(ctx context.Context, i int) (err error) {
		if _, why := lock.VerifyImage(images[i], f.Signatures); why == nil && !update {
			found[i], _ = lock.FindImage(images[i])
			found[i].Reference = images[i]
			return nil
		}
		defer f.begin("looking for the signature of " + images[i])()
		found[i], err = f.signedImage(ctx, images[i])
		return err
	})
	if err != nil {
		return err
	}
	for _, image := range found {
		lock.putImage(image)
	}
	return nil
}

func (f *Fetcher) signedImage(ctx context.Context, image string) (LockedImage, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return LockedImage{}, fmt.Errorf("image %s: %w", image, err)
	}
	repository, err := f.repository(ociScheme + ref.Context().RegistryStr() + "/" + ref.Context().RepositoryStr())
	if err != nil {
		return LockedImage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, signaturesTimeout)
	defer cancel()
	subject, err := repository.Resolve(ctx, ref.Identifier())
	if err == nil {
		err = checkDescriptor(subject, maxManifest)
	}
	if err != nil {
		return LockedImage{}, fmt.Errorf("image %s: %w", image, registryError(err))
	}
	keys := imageKeys(image, f.Signatures)
	proof, err := findProof(ctx, repository, subject, keys)
	if err != nil {
		return LockedImage{}, fmt.Errorf("image %s: %w", image, unsigned(repository, subject, keys, err))
	}
	return LockedImage{Image: Image{Reference: image, Digest: subject.Digest.String()}, Proof: proof}, nil
}
