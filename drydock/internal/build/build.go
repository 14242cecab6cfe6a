// Package build compiles the node's components from the sources that the command carries, once per version of them.
package build

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// spaceNeeded is what the programs take; the compiler's cache, which may be elsewhere, takes about 3 GiB more.
const spaceNeeded = 1 << 30

// components is the one program behind all these names; it looks at the name that it is called by.
var components = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
	"coredns", "gpu-device-plugin", "storage-provisioner",
}

// Ensure returns the folder with the component programs, building them first where they are missing.
// The folder's name is a digest of their sources.
func Ensure(ctx context.Context, binDir string, sources fs.FS, report *progress.Printer) (string, error) {
	digest, err := digestOf(sources)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(binDir, digest)
	return dir, once(dir, "the components", report, func() error { return buildInto(ctx, dir, sources, report) })
}

// once has a folder of programs built, unless it is complete. Of several drydocks one builds, and the others wait.
func once(dir, what string, report *progress.Printer, build func() error) error {
	if complete(dir) {
		return markUsed(dir)
	}
	release, err := state.Acquire(dir+".lock", func() { report.Step("waiting for another drydock that builds %s", what) })
	if err != nil {
		return err
	}
	defer release()
	if complete(dir) {
		return nil
	}
	return build()
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "complete"))
	return err == nil
}

// markUsed dates the folder, so that Prune knows what nobody has used for long.
func markUsed(dir string) error {
	now := time.Now()
	return os.Chtimes(filepath.Join(dir, "complete"), now, now)
}

// Prune removes programs of other versions that no cluster was started with for a day. Those in keep stay.
func Prune(binDir string, keep []string) error {
	marks, err := filepath.Glob(filepath.Join(binDir, "*", "complete"))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		dir := filepath.Dir(mark)
		info, err := os.Stat(mark)
		if err != nil || slices.Contains(keep, dir) || time.Since(info.ModTime()) < 24*time.Hour {
			continue
		}
		if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(dir+".lock")); err != nil {
			return err
		}
	}
	return nil
}

func digestOf(sources fs.FS) (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(sources, path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:16], err
}

func goCommand() (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the components are built with Go, and there is no go command in PATH; install Go 1.26 or later (https://go.dev/dl) and try again")
	}
	return path, nil
}

func buildInto(ctx context.Context, dir string, sources fs.FS, report *progress.Printer) error {
	goTool, err := goCommand()
	if err != nil {
		return err
	}
	if err := state.RequireSpace(filepath.Dir(dir), spaceNeeded, "building the components"); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	source := filepath.Join(dir, "source")
	if err := os.CopyFS(source, sources); err != nil {
		return err
	}
	report.Step("building the Kubernetes components (once per version; about 8 minutes on two cores when nothing is cached)")
	for _, program := range []string{"pause", "components"} {
		if err := compile(ctx, goTool, "readonly", source, filepath.Join(dir, program), "./cmd/"+program, report); err != nil {
			return err
		}
	}
	for _, name := range components {
		if err := os.Symlink("components", filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := linkKubectl(dir); err != nil {
		return err
	}
	report.Step("components built")
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// linkKubectl makes a folder for PATH that holds the one component that people call themselves.
func linkKubectl(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "path"), 0o755); err != nil {
		return err
	}
	return os.Symlink("../kubectl", filepath.Join(dir, "path", "kubectl"))
}

// compile builds a program. mode is what the go command may do to the module file, in its own words (-mod).
func compile(ctx context.Context, goTool, mode, source, output, target string, report *progress.Printer) error {
	linkFlags, err := linkFlags(source)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, goTool, "build", "-v", "-mod="+mode, "-buildvcs=false", "-trimpath", "-ldflags="+linkFlags, "-o", output, target)
	cmd.Dir = source
	// Without C no compiler is needed, and the programs run on any Linux.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	messages := follow(stderr, target, report)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("building %s failed: %w\n%s", target, err, messages)
	}
	return nil
}

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)`)

// linkFlags tell Kubernetes its own version, which is pinned in go.mod and nowhere else.
func linkFlags(source string) (string, error) {
	module, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	match := kubernetesVersion.FindSubmatch(module)
	if match == nil {
		return "", errors.New("go.mod names no version of k8s.io/kubernetes")
	}
	const variable = " -X k8s.io/component-base/version."
	return fmt.Sprintf("-s -w%[1]sgitVersion=%[2]s%[1]sgitMajor=%[3]s%[1]sgitMinor=%[4]s%[1]sgitTreeState=clean", variable, match[1], match[2], match[3]), nil
}

// follow reports each package that the compiler names, and returns the lines that name none: its complaints.
func follow(stderr io.Reader, target string, report *progress.Printer) string {
	var complaints bytes.Buffer
	packages, lastStep := 0, time.Now()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		if strings.ContainsAny(line, " \t") && !strings.HasPrefix(line, "go: downloading ") {
			complaints.WriteString(line + "\n")
			continue
		}
		packages++
		report.Live("building %s: %d packages, now %s", target, packages, line)
		if !report.IsLive() && time.Since(lastStep) > 15*time.Second {
			report.Step("building %s: %d packages, now %s", target, packages, line)
			lastStep = time.Now()
		}
	}
	return complaints.String()
}
