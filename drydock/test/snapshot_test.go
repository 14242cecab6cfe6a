//go:build node

package test

import (
	"encoding/json"
	"errors"
	"fmt"
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
// What belongs to clusters of others is left out: they come and go.
type snapshot map[string][]string

func takeSnapshot(t *testing.T) snapshot {
	t.Helper()
	return snapshot{
		"mounts":             lines(t, "/proc/self/mounts"),
		"routes":             withoutForeign(t, lines(t, "/proc/net/route")),
		"links":              withoutForeign(t, links(t)),
		"packet filter":      packetFilter(t),
		"settings":           settings(t),
		"cgroups":            folders(t, "/sys/fs/cgroup"),
		"network namespaces": networkNamespaces(t),
		"files":              files(t),
	}
}

// compareSnapshots fails when there is more than before. That there is less may be another cluster's end,
// except where no cluster should change anything.
func compareSnapshots(t *testing.T, before, after snapshot) {
	t.Helper()
	for part := range before {
		added, removed := difference(before[part], after[part])
		if len(added) > 0 {
			t.Errorf("%s: added %q", part, added)
		}
		if len(removed) > 0 && slices.Contains(unchanging, part) {
			t.Errorf("%s: removed %q", part, removed)
		}
	}
}

// unchanging are the parts that even a running node leaves alone.
var unchanging = []string{"mounts", "settings", "packet filter"}

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

// withoutForeign leaves out the lines that begin with a network link of somebody else's node.
func withoutForeign(t *testing.T, all []string) []string {
	t.Helper()
	path, err := command()
	if err != nil {
		t.Fatal(err)
	}
	output, _ := exec.CommandContext(t.Context(), path, "status", "-o", "json").Output() // the exit code is about others
	var clusters []struct{ Name, Server string }
	if err := json.Unmarshal(output, &clusters); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(line string) bool {
		for _, cluster := range clusters {
			var block int
			_, err := fmt.Sscanf(cluster.Server, "https://10.%d.", &block)
			if err == nil && isForeign("drydock-"+cluster.Name) && strings.HasPrefix(line, fmt.Sprintf("drydock%d", block)) {
				return true
			}
		}
		return false
	})
}

// isForeign reports whether a cgroup path belongs to a drydock cluster that is not of this test.
func isForeign(path string) bool {
	return strings.Contains(path, "drydock-") && !strings.Contains(path, fmt.Sprintf("-%d", os.Getpid()))
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
		if err == nil && entry.IsDir() && !isForeign(path) {
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
		cgroups, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "cgroup"))
		if err != nil || isForeign(string(cgroups)) {
			continue
		}
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
	shared, err := os.ReadFile(filepath.Join(state, "mountpoints")) // other nodes may need them still
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var found []string
	for _, root := range []string{"/etc", "/opt", "/run", "/srv", "/usr/libexec", "/usr/local", "/var"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if path == state {
				return filepath.SkipDir
			}
			if err == nil && !slices.Contains(strings.Fields(string(shared)), path) {
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
