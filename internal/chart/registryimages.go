package chart

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
)

// ImageDigest returns the digest that an image reference has: the one it
// names, or the one its registry tells.
func (f *Fetcher) ImageDigest(ctx context.Context, image string) (string, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image, err)
	}
	if digest, ok := ref.(name.Digest); ok {
		return digest.DigestStr(), nil
	}
	return f.askDigest(ctx, ref)
}

// FillDigests asks registries, in parallel, for the digests of images.
func (f *Fetcher) FillDigests(ctx context.Context, images []*Image) error {
	return parallel(ctx, len(images), func(ctx context.Context, i int) (err error) {
		defer f.begin("asking for the digest of " + images[i].Reference)()
		images[i].Digest, err = f.ImageDigest(ctx, images[i].Reference)
		return err
	})
}

// MissingImages asks registries for images, in parallel, and says why they do
// not give those that they do not give. The error is that of the context.
func (f *Fetcher) MissingImages(ctx context.Context, images []string) (map[string]string, error) {
	why := make([]string, len(images))
	err := parallel(ctx, len(images), func(ctx context.Context, i int) error {
		defer f.begin("asking for " + images[i])()
		ref, err := name.ParseReference(images[i])
		if err != nil {
			why[i] = fmt.Sprintf("image %s: %v", images[i], err)
			return nil
		}
		if _, err := f.askDigest(ctx, ref); err != nil {
			why[i] = err.Error()
		}
		return ctx.Err()
	})
	missing := map[string]string{}
	for i, image := range images {
		if why[i] != "" {
			missing[image] = why[i]
		}
	}
	return missing, err
}

func (f *Fetcher) askDigest(ctx context.Context, ref name.Reference) (string, error) {
	repository, err := f.repository(ociScheme + ref.Context().RegistryStr() + "/" + ref.Context().RepositoryStr())
	if err != nil {
		return "", err
	}
	descriptor, err := repository.Resolve(ctx, ref.Identifier())
	if err != nil {
		return "", fmt.Errorf("image %s: %w", ref, registryError(err))
	}
	return descriptor.Digest.String(), nil
}

// PinnedDigest is the digest that a reference itself names; empty if none.
func PinnedDigest(image string) string {
	if digest, err := name.NewDigest(image); err == nil {
		return digest.DigestStr()
	}
	return ""
}
