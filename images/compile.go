package images

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Compile builds the image's static binary for Linux, without any trace of the
// machine or the time of the build, and returns its content. It must be run
// inside the module.
func Compile(ctx context.Context, image Image) ([]byte, error) { return compile(ctx, image.Package) }

// More are the image's files besides its binary: further programs, and what it has of
// Debian's packages, which are fetched where they are not in the user's cache.
func More(ctx context.Context, image Image) ([]File, error) {
	var more []File
	for _, at := range slices.Sorted(maps.Keys(image.Programs)) {
		content, err := compile(ctx, image.Programs[at])
		if err != nil {
			return nil, err
		}
		more = append(more, File{at, 0o755, content})
	}
	for _, p := range image.Debian {
		files, err := p.contents(ctx)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Name, err)
		}
		more = append(more, files...)
	}
	return more, nil
}

func compile(ctx context.Context, pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wheelhouse-image-")
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pkg, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "binary")

	var problems bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X "+module+"/internal/version.Version="+Version,
		"-o", binary, module+"/"+pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=")
	build.Stderr = &problems
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", pkg, err, strings.TrimSpace(problems.String()))
	}
	return os.ReadFile(binary)
}
