package images

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the only time that appears in an image.
var epoch = time.Unix(0, 0).UTC()

// File is one file of an image.
type File struct {
	Path    string // absolute
	Mode    fs.FileMode
	Content []byte
}

// Assemble makes the image around its binary's content and further files. The result
// depends on nothing else than its arguments and the machine's architecture.
func Assemble(image Image, binary []byte, more ...File) (v1.Image, error) {
	return assemble(image, runtime.GOARCH, binary, more)
}

func assemble(image Image, architecture string, binary []byte, more []File) (v1.Image, error) {
	layer, err := image.layer(binary, more)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image.Name, err)
	}
	// The layer is not compressed: its digest must not depend on a compressor's version.
	base := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	base = mutate.ConfigMediaType(base, types.OCIConfigJSON)
	built, err := mutate.Append(base, mutate.Addendum{
		Layer:   static.NewLayer(layer, types.OCIUncompressedLayer),
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "wheelhouse images"},
	})
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image.Name, err)
	}
	config, err := built.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image.Name, err)
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: epoch}
	config.OS, config.Architecture = "linux", architecture
	config.Config = image.runConfig()
	return mutate.ConfigFile(built, config)
}

func (i Image) runConfig() v1.Config {
	return v1.Config{
		User:       strconv.Itoa(i.User) + ":" + strconv.Itoa(i.Group),
		Entrypoint: i.Entrypoint,
		Env:        append([]string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin"}, i.Env...),
		WorkingDir: i.WorkingDir,
		Labels: map[string]string{
			"org.opencontainers.image.title":    i.Title,
			"org.opencontainers.image.version":  i.Tag(),
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
}

// layer writes the image's files, sorted by path, parents before children.
func (i Image) layer(binary []byte, more []File) ([]byte, error) {
	entries, err := i.entries(binary, more)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	out := tar.NewWriter(&buffer)
	for _, e := range entries {
		if err := out.WriteHeader(e.header(i)); err != nil {
			return nil, err
		}
		if _, err := out.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// entry is one file, link or directory of a layer.
type entry struct {
	path    string
	mode    fs.FileMode
	content []byte
	target  string
}

func (i Image) entries(binary []byte, more []File) ([]entry, error) {
	all := map[string]entry{}
	add := func(e entry) error {
		if _, twice := all[e.path]; twice {
			return fmt.Errorf("%s is described twice", e.path)
		}
		all[e.path] = e
		return nil
	}
	err := add(entry{path: i.Binary, mode: 0o755, content: binary})
	for _, link := range i.Links {
		err = firstError(err, add(entry{path: link, mode: fs.ModeSymlink | 0o777, target: i.Binary}))
	}
	for name, text := range i.Files {
		err = firstError(err, add(entry{path: name, mode: 0o644, content: []byte(text)}))
	}
	for _, file := range more {
		err = firstError(err, add(entry{path: file.Path, mode: file.Mode, content: file.Content}))
	}
	for _, dir := range i.Dirs {
		err = firstError(err, add(entry{path: dir.Path, mode: fs.ModeDir | dir.Mode}))
	}
	if err != nil {
		return nil, err
	}
	return withParents(all), nil
}

// withParents adds the directories in between, and sorts.
func withParents(all map[string]entry) []entry {
	var sorted []entry
	for _, e := range all {
		sorted = append(sorted, e)
	}
	for _, e := range slices.Clone(sorted) {
		for dir := path.Dir(e.path); dir != "/"; dir = path.Dir(dir) {
			if _, known := all[dir]; !known {
				all[dir] = entry{path: dir, mode: fs.ModeDir | 0o755}
				sorted = append(sorted, all[dir])
			}
		}
	}
	slices.SortFunc(sorted, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	return sorted
}

// header keeps system directories and programs root's: only the directories
// that the image names itself belong to its user.
func (e entry) header(i Image) *tar.Header {
	h := &tar.Header{
		Name: e.path[1:], Mode: int64(e.mode.Perm()), Size: int64(len(e.content)),
		ModTime: epoch, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg,
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case e.mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.target
	}
	if e.mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	if slices.ContainsFunc(i.Dirs, func(d Dir) bool { return d.Path == e.path && d.Mode&fs.ModeSticky == 0 }) {
		h.Uid, h.Gid = i.User, i.Group
	}
	return h
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
