package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd looks for an image's name on import.
const nameAnnotation = "io.containerd.image.name"

// WriteArchive writes a tar file that containerd imports (as an OCI layout, so
// that the digest stays the same) and that `docker load` understands (through
// manifest.json), under the given reference.
func WriteArchive(out io.Writer, image v1.Image, reference string) error {
	archive := tar.NewWriter(out)
	if err := writeBlobs(archive, image); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	if err := writeIndexes(archive, image, reference); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	return archive.Close()
}

func writeBlobs(archive *tar.Writer, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		content, err := layer.Compressed()
		if err != nil {
			return err
		}
		size, err := layer.Size()
		if err != nil {
			return err
		}
		if err := writeFile(archive, blobPath(digest), size, content); err != nil {
			return err
		}
	}
	return writeDescriptions(archive, image)
}

// writeDescriptions writes the image's configuration and manifest.
func writeDescriptions(archive *tar.Writer, image v1.Image) error {
	configName, err := image.ConfigName()
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	manifestName, err := image.Digest()
	if err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	if err := writeBytes(archive, blobPath(configName), config); err != nil {
		return err
	}
	return writeBytes(archive, blobPath(manifestName), manifest)
}

// writeIndexes writes the entry points of both formats.
func writeIndexes(archive *tar.Writer, image v1.Image, reference string) error {
	index, err := ociIndex(image, reference)
	if err != nil {
		return err
	}
	docker, err := dockerManifest(image, reference)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		content any
	}{
		{"index.json", index},
		{"manifest.json", docker},
		{"oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"}},
	} {
		content, err := json.Marshal(file.content)
		if err != nil {
			return err
		}
		if err := writeBytes(archive, file.name, content); err != nil {
			return err
		}
	}
	return nil
}

func ociIndex(image v1.Image, reference string) (v1.IndexManifest, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	digest, err := image.Digest()
	if err != nil {
		return index, err
	}
	size, err := image.Size()
	if err != nil {
		return index, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return index, err
	}
	index.Manifests = []v1.Descriptor{{
		MediaType: types.OCIManifestSchema1, Digest: digest, Size: size, Platform: config.Platform(),
		Annotations: map[string]string{nameAnnotation: reference},
	}}
	return index, nil
}

// dockerImage is an entry of the older format's manifest.json.
type dockerImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

func dockerManifest(image v1.Image, reference string) ([]dockerImage, error) {
	config, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	entry := dockerImage{Config: blobPath(config), RepoTags: []string{reference}}
	for _, layer := range manifest.Layers {
		entry.Layers = append(entry.Layers, blobPath(layer.Digest))
	}
	return []dockerImage{entry}, nil
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func writeBytes(archive *tar.Writer, name string, content []byte) error {
	return writeFile(archive, name, int64(len(content)), io.NopCloser(bytes.NewReader(content)))
}

func writeFile(archive *tar.Writer, name string, size int64, content io.ReadCloser) error {
	defer func() { _ = content.Close() }()
	header := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: epoch, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(archive, content)
	return err
}
