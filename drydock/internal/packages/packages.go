// Package packages finds the container runtime on the machine, or fetches it from Debian without installing it:
// packages are unpacked in the state directory, so no service is started and removing the folder removes them.
package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
)

// needs lists, per Debian package, the programs that show that the machine has it.
var needs = []struct {
	name     string
	programs []string
}{
	{"containerd", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
	{"runc", []string{"runc"}},
	{"iptables", []string{"iptables", "iptables-save", "iptables-restore"}},
}

const cniPackage = "containernetworking-plugins"

// Runtime says where the programs are and what to put into the environment of those that call them.
type Runtime struct {
	Containerd string
	Ctr        string
	CNIPlugins string
	Env        []string
}

// Ensure returns the container runtime, fetching what the machine lacks into dir.
func Ensure(ctx context.Context, dir string, report *progress.Printer) (Runtime, error) {
	missing := missingPackages()
	root := filepath.Join(dir, "root")
	if len(missing) > 0 && !unpacked(dir, missing) {
		if err := fetch(ctx, dir, root, missing, report); err != nil {
			return Runtime{}, err
		}
	}
	return locate(root)
}

func missingPackages() []string {
	var missing []string
	for _, need := range needs {
		absent := func(program string) bool { _, err := lookPath(program, systemPath); return err != nil }
		if slices.ContainsFunc(need.programs, absent) {
			missing = append(missing, need.name)
		}
	}
	if cniPlugins(systemCNI) == "" {
		missing = append(missing, cniPackage)
	}
	return missing
}

var (
	systemPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	systemCNI  = []string{"/usr/lib/cni", "/opt/cni/bin"}
)

func lookPath(program string, folders []string) (string, error) {
	for _, folder := range folders {
		path := filepath.Join(folder, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s in %s", program, strings.Join(folders, ":"))
}

// cniPlugins returns the first folder that has all plugins a node uses, or "".
func cniPlugins(folders []string) string {
	for _, folder := range folders {
		absent := func(plugin string) bool { _, err := lookPath(plugin, []string{folder}); return err != nil }
		if !slices.ContainsFunc([]string{"bridge", "host-local", "portmap", "loopback"}, absent) {
			return folder
		}
	}
	return ""
}

// unpacked reports whether an earlier run unpacked at least these packages.
func unpacked(dir string, wanted []string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "complete"))
	if err != nil {
		return false
	}
	have := strings.Fields(string(content))
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(have, name) })
}

func fetch(ctx context.Context, dir, root string, names []string, report *progress.Printer) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine lacks %s, and has no apt-get to fetch them with; install them by the means of this system and try again", strings.Join(names, ", "))
	}
	report.Step("fetching from Debian, without installing: %s", strings.Join(names, ", "))
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	archives := filepath.Join(dir, "archives")
	for _, folder := range []string{filepath.Join(archives, "partial"), filepath.Join(dir, "lists", "partial"), root} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := download(ctx, dir, archives, names, report); err != nil {
		return err
	}
	if err := unpack(ctx, archives, root); err != nil {
		return err
	}
	if err := linkIPTables(root); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "complete"), []byte(strings.Join(names, " ")+"\n"), 0o644)
}

// download fetches the packages and those they depend on that the machine lacks. It tries the machine's own package lists
// first, and where they are missing or stale, fresh ones kept in dir.
func download(ctx context.Context, dir, archives string, names []string, report *progress.Printer) error {
	install := append([]string{"install", "--yes", "--quiet", "--download-only", "--no-install-recommends",
		"-o", "Debug::NoLocking=true", "-o", "Dir::Cache::archives=" + archives + "/"}, names...)
	first := run(ctx, "apt-get", install...)
	if first == nil || ctx.Err() != nil {
		return first
	}
	report.Step("reading Debian's package lists")
	lists := []string{"-o", "Dir::State::lists=" + filepath.Join(dir, "lists") + "/", "-o", "Debug::NoLocking=true"}
	if err := run(ctx, "apt-get", append([]string{"update", "--quiet"}, lists...)...); err != nil {
		return fmt.Errorf("cannot read Debian's package lists: %w; is the network up?", err)
	}
	if err := run(ctx, "apt-get", append(install, lists...)...); err != nil {
		return fmt.Errorf("cannot fetch %s: %w; install them yourself and try again", strings.Join(names, ", "), err)
	}
	return nil
}

func unpack(ctx context.Context, archives, root string) error {
	packages, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.New("apt-get fetched nothing, although programs are missing: a package is installed without its programs; reinstall containerd, runc, iptables and " + cniPackage)
	}
	for _, archive := range packages {
		if err := run(ctx, "dpkg-deb", "--extract", archive, root); err != nil {
			return err
		}
	}
	return nil
}

// linkIPTables makes the names that installing the package would have made.
func linkIPTables(root string) error {
	folder := filepath.Join(root, "usr", "sbin")
	if _, err := os.Stat(filepath.Join(folder, "xtables-nft-multi")); errors.Is(err, fs.ErrNotExist) {
		return nil // iptables was on the machine
	}
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		if err := os.Symlink("xtables-nft-multi", filepath.Join(folder, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	output, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(string(bytes.TrimSpace(output)), "\n")
		return fmt.Errorf("%s: %s (%w)", program, lines[len(lines)-1], err)
	}
	return nil
}

// locate finds the programs on the machine or below root. The machine's own come first: they were installed on purpose.
func locate(root string) (Runtime, error) {
	below := func(folders []string) []string {
		var all []string
		for _, folder := range folders {
			all = append(all, filepath.Join(root, folder))
		}
		return all
	}
	path := append(slices.Clone(systemPath), below([]string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"})...)
	containerd, err := lookPath("containerd", path)
	if err != nil {
		return Runtime{}, err
	}
	ctr, err := lookPath("ctr", path)
	if err != nil {
		return Runtime{}, err
	}
	libraries, err := filepath.Glob(filepath.Join(root, "usr", "lib", "*-linux-gnu*"))
	if err != nil {
		return Runtime{}, err
	}
	older, err := filepath.Glob(filepath.Join(root, "lib", "*-linux-gnu*"))
	if err != nil {
		return Runtime{}, err
	}
	runtime := Runtime{Containerd: containerd, Ctr: ctr, CNIPlugins: cniPlugins(append(slices.Clone(systemCNI), below(systemCNI)...))}
	runtime.Env = append(runtime.Env, "PATH="+strings.Join(path, ":"))
	if folders := slices.Concat(libraries, older); len(folders) > 0 {
		runtime.Env = append(runtime.Env, "LD_LIBRARY_PATH="+strings.Join(folders, ":"))
	}
	for _, folder := range libraries {
		if _, err := os.Stat(filepath.Join(folder, "xtables")); err == nil {
			runtime.Env = append(runtime.Env, "XTABLES_LIBDIR="+filepath.Join(folder, "xtables"))
		}
	}
	return runtime, nil
}
