package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
)

// Bundle is one file for sites without a network: charts, CRDs, the lock, and
// which images they need. Its manifest has the digest of everything in it.
type Bundle struct {
	// Fleet is the name of the fleet that the bundle was made for.
	Fleet string
	// Images are the images that the fleet's charts run.
	Images []Image
	// Files holds the content by path.
	Files map[string][]byte
}

// Folders and files of a bundle.
const (
	BundleCharts     = "charts/"
	BundleThirdParty = "third-party/"
	BundleCRDs       = "crds/"
	BundleImages     = "images.txt"
	// BundleUnknownImages names where something else decides on an image.
	BundleUnknownImages = "images-unknown.txt"
	bundleManifest      = "manifest.json"
	bundleKind          = "Bundle"
	bundleAPIVersion    = "wheelhouse.dev/v1alpha1"
)

// What is larger is not read: a bundle is held in memory, and a small file may
// unpack to a large one.
const (
	// maxBundle bounds the content of all files, in bytes.
	maxBundle = 128 << 20
	// maxFiles bounds their number.
	maxFiles = 10000
)

// Image is a container image that a chart runs.
type Image struct {
	// Reference is as the manifest says it.
	Reference string `json:"image"`
	// Digest is "sha256:..."; empty where nobody knows it.
	Digest string `json:"digest,omitempty"`
}

// Exact is the reference, with the digest where that is known.
func (i Image) Exact() string {
	if i.Digest == "" || PinnedDigest(i.Reference) != "" {
		return i.Reference
	}
	return i.Reference + "@" + i.Digest
}

type manifest struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Fleet      string         `json:"fleet"`
	Files      []manifestFile `json:"files"`
	Images     []Image        `json:"images"`
}

type manifestFile struct {
	Path   string `json:"path"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Write writes the bundle as a compressed tar file and returns the digest of
// its manifest, which identifies the whole. The same content gives the same bytes.
func (b *Bundle) Write(w io.Writer) (digest string, err error) {
	m := manifest{APIVersion: bundleAPIVersion, Kind: bundleKind, Fleet: b.Fleet, Images: b.Images}
	paths := slices.Sorted(maps.Keys(b.Files))
	for _, p := range paths {
		m.Files = append(m.Files, manifestFile{Path: p, Digest: digestBytes(b.Files[p]), Size: int64(len(b.Files[p]))})
	}
	head, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return "", err
	}
	compressed := gzip.NewWriter(w)
	archive := tar.NewWriter(compressed)
	err = addFile(archive, bundleManifest, head)
	for _, p := range paths {
		err = errors.Join(err, addFile(archive, p, b.Files[p]))
	}
	return digestBytes(head), errors.Join(err, archive.Close(), compressed.Close())
}

func addFile(archive *tar.Writer, name string, data []byte) error {
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: packaged, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(data)
	return err
}

// ReadBundle reads a bundle and verifies every file. The digest is that of the
// manifest, as Write returned it.
func ReadBundle(r io.Reader) (b *Bundle, digest string, err error) {
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, "", fmt.Errorf("it is not a bundle: %w", err)
	}
	archive := tar.NewReader(io.LimitReader(compressed, maxBundle))
	m, digest, err := readManifest(archive)
	if err != nil {
		return nil, "", err
	}
	expected := make(map[string]manifestFile, len(m.Files))
	for _, file := range m.Files {
		expected[file.Path] = file
	}
	b = &Bundle{Fleet: m.Fleet, Images: m.Images, Files: map[string][]byte{}}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", damaged(err)
		}
		file, ok := expected[header.Name]
		if !ok {
			return nil, "", fmt.Errorf("%q is not in the bundle's manifest, or is there twice: the bundle was changed after it was made", header.Name)
		}
		if b.Files[header.Name], err = readVerified(archive, header, file); err != nil {
			return nil, "", err
		}
		delete(expected, header.Name)
	}
	// The rest, with the checksum at the end.
	if _, err := io.Copy(io.Discard, io.LimitReader(compressed, maxBundle)); err != nil {
		return nil, "", damaged(err)
	}
	if len(expected) > 0 {
		return nil, "", fmt.Errorf("%s is missing: the bundle is incomplete", slices.Sorted(maps.Keys(expected))[0])
	}
	return b, digest, nil
}

func readManifest(archive *tar.Reader) (m manifest, digest string, err error) {
	header, err := archive.Next()
	if err != nil {
		return m, "", damaged(err)
	}
	if header.Name != bundleManifest {
		return m, "", fmt.Errorf("it is not a bundle: it starts with %q instead of %s", header.Name, bundleManifest)
	}
	data, err := readExactly(archive, header.Size, maxManifest)
	if err != nil {
		return m, "", damaged(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, "", fmt.Errorf("%s: %w", bundleManifest, err)
	}
	if m.Kind != bundleKind || m.APIVersion != bundleAPIVersion {
		return m, "", fmt.Errorf("%s is a %s of %s; this version reads a %s of %s", bundleManifest, m.Kind, m.APIVersion, bundleKind, bundleAPIVersion)
	}
	total := int64(0)
	for _, file := range m.Files {
		if !belongs(file.Path) {
			return m, "", fmt.Errorf("%s names the path %q, which no bundle has", bundleManifest, file.Path)
		}
		if file.Size < 0 || file.Size > maxBundle {
			return m, "", fmt.Errorf("%s says that %s has %d bytes; %d MiB are allowed for all files", bundleManifest, file.Path, file.Size, maxBundle>>20)
		}
		total += file.Size
	}
	if total > maxBundle || len(m.Files) > maxFiles {
		return m, "", fmt.Errorf("%s lists %d files of %d MiB; %d files of %d MiB are allowed", bundleManifest, len(m.Files), total>>20, maxFiles, maxBundle>>20)
	}
	return m, digestBytes(data), nil
}

// belongs tells the files of bundles: they become files on disk.
func belongs(name string) bool {
	folder, file := path.Split(name)
	switch folder {
	case "":
		return slices.Contains([]string{BundleImages, BundleUnknownImages, LockName}, file)
	case BundleCharts, BundleThirdParty, BundleCRDs:
		return nameFormat.MatchString(file)
	default:
		return false
	}
}

// readExactly takes no more memory than a file has bytes.
func readExactly(from io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("a file has %d bytes, %d are allowed", size, limit)
	}
	data := make([]byte, size)
	_, err := io.ReadFull(from, data)
	return data, err
}

func readVerified(archive io.Reader, header *tar.Header, file manifestFile) ([]byte, error) {
	if header.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("%s is not a plain file: the bundle was changed after it was made", file.Path)
	}
	if header.Size != file.Size {
		return nil, fmt.Errorf("%s has %d bytes instead of %d: the bundle was changed after it was made", file.Path, header.Size, file.Size)
	}
	data, err := readExactly(archive, header.Size, maxBundle)
	if err != nil {
		return nil, damaged(err)
	}
	if got := digestBytes(data); got != file.Digest {
		return nil, fmt.Errorf("%w: the bundle was changed after it was made", &DigestError{What: file.Path, Want: file.Digest, Got: got})
	}
	return data, nil
}

func damaged(err error) error {
	return fmt.Errorf("the bundle is damaged or incomplete: %w", err)
}
