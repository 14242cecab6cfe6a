package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Compile builds the image's static binary for Linux, without any trace of the
// machine or the time of the build, and returns its content. It must be run
// inside the module.
func Compile(ctx context.Context, image Image) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wheelhouse-image-")
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", image.Package, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "binary")

	var problems bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X "+module+"/internal/version.Version="+Version,
		"-o", binary, module+"/"+image.Package)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=")
	build.Stderr = &problems
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", image.Package, err, strings.TrimSpace(problems.String()))
	}
	return os.ReadFile(binary)
}
