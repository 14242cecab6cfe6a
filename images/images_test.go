package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func assembled(t *testing.T, image Image, binary string) v1.Image {
	t.Helper()
	built, err := Assemble(image, []byte(binary))
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func digest(t *testing.T, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func archive(t *testing.T, image v1.Image, reference string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteArchive(&out, image, reference); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// layerFiles reads the headers of an image's only layer, in order.
func layerFiles(t *testing.T, image v1.Image) []*tar.Header {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	var headers []*tar.Header
	for files := tar.NewReader(content); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, h)
	}
}

func TestSameInputGivesTheSameArchive(t *testing.T) {
	for _, image := range Catalog {
		first, second := assembled(t, image, "program"), assembled(t, image, "program")
		if digest(t, first) != digest(t, second) {
			t.Errorf("%s: digests differ", image.Name)
		}
		if !bytes.Equal(archive(t, first, image.Reference()), archive(t, second, image.Reference())) {
			t.Errorf("%s: archives differ", image.Name)
		}
		if digest(t, first) == digest(t, assembled(t, image, "another program")) {
			t.Errorf("%s: the digest does not depend on the program", image.Name)
		}
	}
}

func TestCompilingTwiceGivesTheSameProgram(t *testing.T) {
	image, err := find("standin-runtime")
	if err != nil {
		t.Fatal(err)
	}
	first, err := compile(t.Context(), image.Package, runtime.GOARCH, Version)
	if err != nil {
		t.Fatal(err)
	}
	second, err := compile(t.Context(), image.Package, runtime.GOARCH, Version)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two builds of the same source differ")
	}
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(first, []byte(filepath.Dir(home))) {
		t.Error("the program contains a path of the machine that built it")
	}
}

func TestCompileNamesThePackageThatFails(t *testing.T) {
	if _, err := compile(t.Context(), "cmd/nosuch", runtime.GOARCH, Version); err == nil || !strings.Contains(err.Error(), "cmd/nosuch") {
		t.Errorf("got %v", err)
	}
}

func TestEveryImageIsSound(t *testing.T) {
	for _, image := range Catalog {
		t.Run(image.Name, func(t *testing.T) {
			built := assembled(t, image, "program")
			if err := validate.Image(built, validate.Fast); err != nil {
				t.Error(err)
			}
			config, err := built.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if user, _, _ := strings.Cut(config.Config.User, ":"); user == "" || user == "0" {
				t.Errorf("runs as user %q", config.Config.User)
			}
			var names []string
			for _, h := range layerFiles(t, built) {
				names = append(names, h.Name)
				if !h.ModTime.Equal(epoch) {
					t.Errorf("%s has a time: %s", h.Name, h.ModTime)
				}
				if h.Mode&0o002 != 0 && h.Mode&0o1000 == 0 && h.Typeflag != tar.TypeSymlink {
					t.Errorf("%s is writable by everybody: %o", h.Name, h.Mode)
				}
				if h.Typeflag == tar.TypeSymlink && h.Linkname != image.Binary {
					t.Errorf("%s leads to %s", h.Name, h.Linkname)
				}
			}
			if !slices.IsSorted(names) {
				t.Errorf("files are not sorted: %v", names)
			}
			if !slices.Contains(names, image.Entrypoint[0][1:]) || !slices.Contains(names, "tmp/") {
				t.Errorf("entrypoint or /tmp missing: %v", names)
			}
		})
	}
}

func TestOperatorImage(t *testing.T) {
	image, err := find("dynamo-operator")
	if err != nil {
		t.Fatal(err)
	}
	config, err := assembled(t, image, "program").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) {
		t.Errorf("got user %s, entrypoint %v", config.Config.User, config.Config.Entrypoint)
	}
}

func TestStandinImageHasTheProgramsThatGraphsName(t *testing.T) {
	image, err := find("standin-runtime")
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for _, h := range layerFiles(t, assembled(t, image, "program")) {
		modes[h.Name] = h.Mode
	}
	for _, name := range []string{"bin/sh", "bin/cat", "usr/bin/python3", "usr/local/bin/standin"} {
		if modes[name]&0o111 == 0 {
			t.Errorf("%s is missing or not executable", name)
		}
	}
	if modes["tmp/"] != 0o1777 {
		t.Errorf("/tmp has mode %o", modes["tmp/"])
	}
}

func TestArchiveServesBothFormats(t *testing.T) {
	image := Catalog[0]
	built := assembled(t, image, "program")
	raw := archive(t, built, image.Reference())

	files := map[string][]byte{}
	for in := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	m := index.Manifests[0]
	if m.Annotations[nameAnnotation] != image.Reference() || m.Digest.String() != digest(t, built) || files[blobPath(m.Digest)] == nil {
		t.Errorf("OCI index entry: %+v", m)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	docker, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := built.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := docker.ConfigName(); err != nil || got != want {
		t.Errorf("as a docker archive: %v, %v; want %v", got, err, want)
	}
}

func TestCatalogNamesWhatItHas(t *testing.T) {
	if all, err := ByName(nil); err != nil || len(all) != len(Catalog) {
		t.Errorf("all: %d, %v", len(all), err)
	}
	if _, err := ByName([]string{"operator"}); err == nil || !strings.Contains(err.Error(), "dynamo-operator") {
		t.Errorf("unknown name: %v", err)
	}
}

func TestAPathDescribedTwiceIsRefused(t *testing.T) {
	if _, err := Assemble(Image{Name: "x", Binary: "/a", Links: []string{"/a"}}, nil); err == nil || !strings.Contains(err.Error(), "/a") {
		t.Errorf("got %v", err)
	}
}

// The Dockerfiles are the same images by other means.
func TestDockerfilesAgreeWithTheCatalog(t *testing.T) {
	for _, image := range Catalog {
		raw, err := os.ReadFile(filepath.Join(image.Name, "Dockerfile"))
		if err != nil {
			t.Error(err)
			continue
		}
		text := string(raw)
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n;\\", r) })
		user := strconv.Itoa(image.User) + ":" + strconv.Itoa(image.Group)
		for _, want := range append([]string{"./" + image.Package, user}, image.Links...) {
			if !slices.Contains(words, want) {
				t.Errorf("%s/Dockerfile lacks %s", image.Name, want)
			}
		}
		if !strings.Contains(text, `"`+image.Entrypoint[0]+`"`) || strings.Contains(text, ":latest") {
			t.Errorf("%s/Dockerfile has another entrypoint, or an image without a fixed tag", image.Name)
		}
	}
}
