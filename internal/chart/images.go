package chart

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/yaml"
)

// Images lists the container images that the objects run, sorted.
func (r *Rendered) Images() ([]string, error) {
	found := map[string]bool{}
	for _, o := range r.Objects {
		var content any
		if err := yaml.Unmarshal([]byte(o.Content), &content); err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		collectImages(content, found)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// collectImages looks for pod templates wherever an object has them.
func collectImages(v any, found map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			collectImages(item, found)
		}
	case map[string]any:
		for _, list := range []string{"containers", "initContainers"} {
			containers, _ := v[list].([]any)
			for _, c := range containers {
				container, _ := c.(map[string]any)
				if image, ok := container["image"].(string); ok && image != "" {
					found[image] = true
				}
			}
		}
		for _, field := range v {
			collectImages(field, found)
		}
	}
}

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
