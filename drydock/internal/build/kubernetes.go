package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

const kubernetesModule = "k8s.io/kubernetes"

// otherVersion is what a control plane of another version consists of: what runs beside it, etcd above all, is drydock's own.
var otherVersion = []string{"kube-apiserver", "kube-controller-manager"}

var release = regexp.MustCompile(`^1\.\d+\.\d+$`)

// CheckVersion refuses what is no release of Kubernetes, such as 1.29.15.
func CheckVersion(version string) error {
	if !release.MatchString(version) {
		return fmt.Errorf("%q is no release of Kubernetes; name one in full, such as 1.29.15", version)
	}
	return nil
}

// WithKubernetes returns a folder like programs, which Ensure made, whose control plane is of another version of Kubernetes.
// It builds that first where it is missing.
func WithKubernetes(ctx context.Context, programs, version string, report *progress.Printer) (string, error) {
	dir := programs + "-" + version
	return dir, once(dir, "Kubernetes "+version, report, func() error { return buildKubernetes(ctx, dir, programs, version, report) })
}

func buildKubernetes(ctx context.Context, dir, programs, version string, report *progress.Printer) error {
	goTool, err := goCommand()
	if err != nil {
		return err
	}
	if err := state.RequireSpace(filepath.Dir(dir), spaceNeeded, "building Kubernetes "+version); err != nil {
		return err
	}
	source := filepath.Join(dir, "source")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(source, 0o755)); err != nil {
		return err
	}
	report.Step("building the control plane of Kubernetes %s (once; about 6 minutes on two cores when nothing is cached)", version)
	if err := writeModule(ctx, goTool, source, version); err != nil {
		return err
	}
	for _, name := range otherVersion {
		if err := compile(ctx, goTool, "mod", source, filepath.Join(dir, name), kubernetesModule+"/cmd/"+name, report); err != nil {
			return err
		}
	}
	if err := linkOthers(programs, dir); err != nil {
		return err
	}
	report.Step("Kubernetes %s built", version)
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}

// writeModule makes a module that requires a version of Kubernetes and all that this version was released with.
func writeModule(ctx context.Context, goTool, source, version string) error {
	module, err := download(ctx, goTool, version)
	if err != nil {
		return err
	}
	requirements, err := os.ReadFile(module.GoMod)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(module.Dir, "go.sum"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(source, "go.mod"), []byte(requiring(string(requirements), version)), 0o644),
		os.WriteFile(filepath.Join(source, "go.sum"), sums, 0o644),
	)
}

// requiring turns the module file of Kubernetes into that of a module which requires it. The parts that its repository holds in
// folders of its own (k8s.io/api and others) are published as v0.MINOR.PATCH.
func requiring(moduleFile, version string) string {
	published := " v0." + strings.TrimPrefix(version, "1.")
	text := regexp.MustCompile(`=> \./staging/src/(\S+)`).ReplaceAllString(moduleFile, "=> ${1}"+published)
	text = strings.Replace(text, "module "+kubernetesModule+"\n", "module components\n", 1)
	return text + "\nrequire (\n\t" + kubernetesModule + " v" + version + "\n)\n"
}

// downloaded is what the go command tells of a module.
type downloaded struct{ Dir, GoMod, Error string }

func download(ctx context.Context, goTool, version string) (downloaded, error) {
	var module downloaded
	cmd := exec.CommandContext(ctx, goTool, "mod", "download", "-json", kubernetesModule+"@v"+version)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	answer, failed := cmd.Output()
	if err := json.Unmarshal(answer, &module); err != nil {
		return module, fmt.Errorf("downloading Kubernetes %s: %w", version, errors.Join(failed, err))
	}
	if module.Error != "" {
		return module, fmt.Errorf("downloading Kubernetes %s: %s", version, module.Error)
	}
	return module, failed
}

// linkOthers gives dir what programs has besides. They are links to the files themselves, so that neither folder needs the other.
func linkOthers(programs, dir string) error {
	for _, program := range []string{"pause", "components"} {
		if err := os.Link(filepath.Join(programs, program), filepath.Join(dir, program)); err != nil {
			return err
		}
	}
	for _, name := range components {
		if err := os.Symlink("components", filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return linkKubectl(dir)
}
