//go:build node

package test

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/packages"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
)

// snapshot is what the host has, by kind: all that a node could leave behind.
type snapshot map[string][]string

func takeSnapshot(t *testing.T) snapshot {
	t.Helper()
	return snapshot{
		"mounts":             lines(t, "/proc/self/mounts"),
		"routes":             lines(t, "/proc/net/route"),
		"links":              links(t),
		"packet filter":      packetFilter(t),
		"settings":           settings(t),
		"cgroups":            folders(t, "/sys/fs/cgroup"),
		"network namespaces": networkNamespaces(t),
		"files":              files(t),
	}
}

func compareSnapshots(t *testing.T, before, after snapshot) {
	t.Helper()
	for part := range before {
		if added, removed := difference(before[part], after[part]); len(added)+len(removed) > 0 {
			t.Errorf("%s: added %q, removed %q", part, added, removed)
		}
	}
}

func difference(before, after []string) (added, removed []string) {
	missing := func(list []string) func(string) bool {
		return func(element string) bool { return slices.Contains(list, element) }
	}
	before, after = slices.Clone(before), slices.Clone(after)
	added = slices.DeleteFunc(slices.Clone(after), missing(before))
	removed = slices.DeleteFunc(before, missing(after))
	return added, removed
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

func links(t *testing.T) []string {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, link := range interfaces {
		names = append(names, link.Name)
	}
	return names
}

// packetFilter lists the host's rules with the program that drydock uses itself.
func packetFilter(t *testing.T) []string {
	t.Helper()
	runtime, err := packages.Ensure(t.Context(), filepath.Join(stateDir(), "packages"), progress.New(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "env", append(runtime.Env, "iptables-save")...)
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, "*") {
			rules = append(rules, line)
		}
	}
	return rules
}

// settings are the kernel settings that a kubelet or a proxy likes to change.
func settings(t *testing.T) []string {
	t.Helper()
	var values []string
	for _, path := range []string{
		"kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/keys/root_maxkeys",
		"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/netfilter/nf_conntrack_max",
	} {
		content, err := os.ReadFile("/proc/sys/" + path)
		if err != nil {
			continue // not in this kernel
		}
		values = append(values, path+"="+strings.TrimSpace(string(content)))
	}
	return values
}

func folders(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			found = append(found, path)
		}
		return nil // cgroups come and go
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func networkNamespaces(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		if name, err := os.Readlink(path); err == nil && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

func stateDir() string {
	if dir := os.Getenv("DRYDOCK_STATE"); dir != "" {
		return dir
	}
	return "/var/lib/drydock"
}

// files lists everything where programs keep state, apart from drydock's own directory.
func files(t *testing.T) []string {
	t.Helper()
	state := stateDir()
	var found []string
	for _, root := range []string{"/etc", "/opt", "/run", "/srv", "/usr/libexec", "/usr/local", "/var"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if path == state {
				return filepath.SkipDir
			}
			if err == nil {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
