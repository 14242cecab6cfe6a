package chart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/registry"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

const ociScheme = registry.OCIScheme + "://"

// ociRegistry is a part of a registry that holds charts, one repository each.
type ociRegistry struct {
	fetcher *Fetcher
	url     string
}

// guess writes a version as Helm does: tags have no plus sign.
func (r ociRegistry) guess(name, version string) string {
	return r.url + "/" + name + ":" + strings.ReplaceAll(version, "+", "_")
}

func (r ociRegistry) locate(ctx context.Context, name, version string) (located, error) {
	repository, err := r.fetcher.repository(r.url + "/" + name)
	if err != nil {
		return located{}, err
	}
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v")); err != nil {
		if version, err = newestTag(ctx, repository, version); err != nil {
			return located{}, fmt.Errorf("%s/%s: %w", r.url, name, err)
		}
	}
	url := r.guess(name, version)
	at, err := chartLayer(ctx, repository, strings.ReplaceAll(version, "+", "_"))
	if err != nil {
		return located{}, fmt.Errorf("%s: %w", url, err)
	}
	at.version, at.url = version, url
	return at, nil
}

func newestTag(ctx context.Context, repository *remote.Repository, wanted string) (string, error) {
	var versions []string
	err := repository.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			versions = append(versions, strings.ReplaceAll(tag, "_", "+"))
		}
		return nil
	})
	if err != nil {
		return "", registryError(err)
	}
	if best := newest(versions, wanted); best != "" {
		return best, nil
	}
	return "", fmt.Errorf("no tag satisfies %s (%w)", wanted, errNotFound)
}

// chartLayer reads a manifest and returns digest and size of the package in it.
func chartLayer(ctx context.Context, repository *remote.Repository, tag string) (located, error) {
	descriptor, body, err := repository.Manifests().FetchReference(ctx, tag)
	if err != nil {
		return located{}, registryError(err)
	}
	defer func() { _ = body.Close() }()
	if descriptor.Size > maxManifest {
		return located{}, fmt.Errorf("the manifest has %d bytes", descriptor.Size)
	}
	data, err := content.ReadAll(body, descriptor)
	if err != nil {
		return located{}, err
	}
	return packageIn(data)
}

// packageIn finds the package that a manifest names.
func packageIn(data []byte) (located, error) {
	var manifest struct {
		Layers []struct {
			MediaType, Digest string
			Size              int64
		}
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return located{}, fmt.Errorf("the manifest is not JSON: %w", err)
	}
	for _, layer := range manifest.Layers {
		if layer.MediaType == registry.ChartLayerMediaType || layer.MediaType == registry.LegacyChartLayerMediaType {
			if !digestFormat.MatchString(layer.Digest) {
				return located{}, fmt.Errorf("the digest %s is not supported", layer.Digest)
			}
			return located{digest: layer.Digest, size: layer.Size}, nil
		}
	}
	return located{}, errors.New("is not a Helm chart")
}

// maxManifest is the largest manifest that is read, in bytes.
const maxManifest = 4 << 20

// openBlob downloads a package by its digest: no tag, no manifest, and it can
// be continued.
func (f *Fetcher) openBlob(url, digest string, size int64) (download, error) {
	repository, err := f.repository(url)
	if err != nil {
		return nil, err
	}
	scheme := "https"
	if repository.PlainHTTP {
		scheme = "http"
	}
	ref := repository.Reference
	blob := fmt.Sprintf("%s://%s/v2/%s/blobs/%s", scheme, ref.Host(), ref.Repository, digest)
	return func(ctx context.Context, offset int64) (io.ReadCloser, int64, error) {
		ctx = auth.AppendRepositoryScope(ctx, ref, auth.ActionPull)
		return get(ctx, blob, offset, size, func(request *http.Request) (*http.Response, error) {
			response, err := f.clients().registry.Do(request)
			return response, registryError(err)
		})
	}, nil
}

// repository opens oci://HOST/PATH[:TAG].
func (f *Fetcher) repository(url string) (*remote.Repository, error) {
	repository, err := remote.NewRepository(strings.TrimPrefix(url, ociScheme))
	if err != nil {
		return nil, fmt.Errorf("%s is not a repository of a registry: %w", url, err)
	}
	repository.Client = f.clients().registry
	repository.PlainHTTP = PlainHTTP(repository.Reference.Host())
	return repository, nil
}

// PlainHTTP reports whether a registry (HOST or HOST:PORT) is spoken to without TLS:
// only one on loopback is, as Docker does it.
func PlainHTTP(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// registryError makes a missing tag or repository errNotFound.
func registryError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("%w in the registry", errNotFound)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("%w; log in with `helm registry login` or `docker login`", err)
	default:
		return err
	}
}
