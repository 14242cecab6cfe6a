package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"helm.sh/helm/v4/pkg/registry"
	repo "helm.sh/helm/v4/pkg/repo/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
)

// Mirror copies charts from the cache to a registry (oci://HOST/PATH) or a
// folder. It returns the mapping that makes a Fetcher use the copy.
func (f *Fetcher) Mirror(ctx context.Context, charts []Locked, to string) ([]Mirror, error) {
	if err := CheckAddress(to); err != nil {
		return nil, err
	}
	to = strings.TrimRight(to, "/")
	copyOne := f.copyToFolder
	switch {
	case registry.IsOCI(to):
		copyOne = f.push
	case isHTTP(to):
		return nil, errors.New("there is no common way to write to a chart repository over HTTP: mirror to a folder that a web server serves, or to a registry (oci://...)")
	default:
		if err := os.MkdirAll(to, 0o755); err != nil {
			return nil, fmt.Errorf("make the mirror: %w", err)
		}
	}
	err := parallel(ctx, len(charts), func(ctx context.Context, i int) error {
		defer f.begin("copying " + charts[i].String())()
		data, err := f.Cache.Read(charts[i].Digest)
		if err == nil {
			err = copyOne(ctx, charts[i], data, to)
		}
		if err != nil {
			return fmt.Errorf("copy %s to %s: %w", charts[i], to, err)
		}
		return nil
	})
	if err == nil && !registry.IsOCI(to) {
		err = writeIndex(to)
	}
	return mapping(charts, to), err
}

// mapping sends every upstream of the charts to one mirror.
func mapping(charts []Locked, to string) []Mirror {
	var out []Mirror
	seen := map[string]bool{}
	for _, c := range charts {
		if upstream := strings.TrimRight(c.Repository, "/"); !seen[upstream] {
			seen[upstream] = true
			out = append(out, Mirror{Upstream: upstream, URL: to})
		}
	}
	return out
}

func (f *Fetcher) copyToFolder(_ context.Context, c Locked, data []byte, to string) error {
	return replaceFile(filepath.Join(to, c.Name+"-"+c.Version+".tgz"), data, 0o644)
}

// writeIndex makes a folder a repository for Helm and for web servers.
func writeIndex(dir string) error {
	index, err := repo.IndexDirectory(dir, "")
	if err != nil {
		return fmt.Errorf("index %s: %w", dir, err)
	}
	index.SortEntries()
	return index.WriteFile(filepath.Join(dir, "index.yaml"), 0o644)
}

// push writes a chart to a registry as Helm does.
func (f *Fetcher) push(ctx context.Context, c Locked, data []byte, to string) error {
	helm, err := loadArchive(bytes.NewReader(data))
	if err != nil {
		return err
	}
	metadata, err := json.Marshal(helm.Metadata)
	if err != nil {
		return err
	}
	repository, err := f.repository(to + "/" + c.Name)
	if err != nil {
		return err
	}
	config := content.NewDescriptorFromBytes(registry.ConfigMediaType, metadata)
	layer := content.NewDescriptorFromBytes(registry.ChartLayerMediaType, data)
	for _, blob := range []struct {
		ocispec.Descriptor
		data []byte
	}{{config, metadata}, {layer, data}} {
		known, err := repository.Exists(ctx, blob.Descriptor)
		if err == nil && !known {
			err = repository.Push(ctx, blob.Descriptor, bytes.NewReader(blob.data))
		}
		if err != nil {
			return err
		}
	}
	manifest, err := oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		ConfigDescriptor: &config, Layers: []ocispec.Descriptor{layer},
		ManifestAnnotations: map[string]string{
			ocispec.AnnotationCreated: packaged.Format("2006-01-02T15:04:05Z"),
			ocispec.AnnotationTitle:   c.Name, ocispec.AnnotationVersion: c.Version,
		},
	})
	if err != nil {
		return err
	}
	return repository.Tag(ctx, manifest, strings.ReplaceAll(c.Version, "+", "_"))
}
