package images

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Architectures are those that an image can be built for, the first one of them
// before others. Debian's packages are pinned for one.
func (i Image) Architectures() []string {
	if len(i.Debian) > 0 {
		return []string{"amd64"}
	}
	return []string{"amd64", "arm64"}
}

// Build compiles and assembles the image for one architecture. It must be run inside
// the module.
func Build(ctx context.Context, image Image, architecture string) (v1.Image, error) {
	binary, err := compile(ctx, image.Package, architecture, image.Tag())
	if err != nil {
		return nil, err
	}
	further, err := more(ctx, image, architecture)
	if err != nil {
		return nil, err
	}
	return assemble(image, architecture, binary, further)
}

// more are the image's files besides its binary: further programs, and what it has of
// Debian's packages, which are fetched where they are not in the user's cache.
func more(ctx context.Context, image Image, architecture string) ([]File, error) {
	var files []File
	for _, at := range slices.Sorted(maps.Keys(image.Programs)) {
		content, err := compile(ctx, image.Programs[at], architecture, image.Tag())
		if err != nil {
			return nil, err
		}
		files = append(files, File{at, 0o755, content})
	}
	for _, p := range image.Debian {
		contents, err := p.contents(ctx)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Name, err)
		}
		files = append(files, contents...)
	}
	return files, nil
}

// compile builds a static binary for Linux, without any trace of the machine or the time
// of the build.
func compile(ctx context.Context, pkg, architecture, version string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wheelhouse-image-")
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "binary")

	var problems bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X "+module+"/internal/version.Version="+version,
		"-o", binary, module+"/"+pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=")
	build.Stderr = &problems
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", pkg, err, strings.TrimSpace(problems.String()))
	}
	return os.ReadFile(binary)
}
