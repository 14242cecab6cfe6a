package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// folders are where a node keeps its own files. Inside the node each is a folder of the cluster.
var folders = []string{
	"/etc/cni/net.d",
	"/etc/containerd/certs.d", // registries' certificates
	"/opt/cni/bin",
	"/opt/containerd", // where containerd looks for plugins, and makes the folder if it is not there
	"/run/containerd",
	"/run/mount", // where the program mount keeps notes
	"/var/lib/cni",
	"/var/lib/containerd",
	"/var/lib/kubelet",
	"/var/log/containers",
	"/var/log/pods",
}

// settings are kernel settings of the whole machine that the kubelet insists on.
// The node sees them as it wants them; the machine keeps its own.
var settings = map[string]string{
	"/proc/sys/kernel/keys/root_maxbytes": "25000000",
	"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
	"/proc/sys/kernel/panic":              "10",
	"/proc/sys/kernel/panic_on_oops":      "1",
	"/proc/sys/vm/overcommit_memory":      "1",
	"/proc/sys/vm/panic_on_oom":           "0",
}

// mountAll arranges the mounts of the node in this process' mount namespace. Files live below dir.
func mountAll(name, dir string) error {
	// The node sees what the host mounts later, the host never what the node mounts, and pods may share mounts among them.
	for _, flag := range []uintptr{unix.MS_SLAVE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", flag|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("separating the node's mounts from the host's: %w", err)
		}
	}
	for _, folder := range folders {
		source := filepath.Join(dir, folder)
		if err := os.MkdirAll(source, 0o755); err != nil {
			return err
		}
		if err := bind(source, folder); err != nil {
			return err
		}
	}
	for setting, value := range settings {
		if err := pretend(filepath.Join(dir, "settings"), setting, value); err != nil {
			return err
		}
	}
	return confineCgroups(name)
}

func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", source, target, err)
	}
	return nil
}

// pretend covers a kernel setting with a file; settings that this kernel lacks are left out.
func pretend(dir, setting, value string) error {
	if _, err := os.Stat(setting); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(setting, "/proc/sys/"), "/", "."))
	if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
		return err
	}
	return bind(file, setting)
}

// MakeMountPoints makes the folders that a node mounts over, where the host lacks them, and returns those that it made.
func MakeMountPoints() ([]string, error) {
	var made []string
	for _, folder := range folders {
		for _, path := range withParents(folder) {
			err := os.Mkdir(path, 0o755)
			if err == nil {
				made = append(made, path)
			} else if !errors.Is(err, fs.ErrExist) {
				return made, err
			}
		}
	}
	return made, nil
}

func withParents(path string) []string {
	var list []string
	for ; path != "/"; path = filepath.Dir(path) {
		list = append([]string{path}, list...)
	}
	return list
}

// RemoveMountPoints removes the folders again, except those that hold something or that another node still uses.
func RemoveMountPoints(made []string) (kept []string, err error) {
	used, err := mountPointsInUse()
	if err != nil {
		return made, err
	}
	for i := len(made) - 1; i >= 0; i-- {
		if used[made[i]] || errors.Is(unix.Rmdir(made[i]), unix.ENOTEMPTY) {
			kept = append([]string{made[i]}, kept...)
		}
	}
	return kept, nil
}

// mountPointsInUse collects the mount points of every process: removing a folder detaches what other namespaces have mounted there.
func mountPointsInUse() (map[string]bool, error) {
	tables, err := filepath.Glob("/proc/[0-9]*/mounts")
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, table := range tables {
		content, err := os.ReadFile(table)
		if err != nil {
			continue // the process ended meanwhile
		}
		for line := range strings.Lines(string(content)) {
			if fields := strings.Fields(line); len(fields) > 1 {
				used[fields[1]] = true
			}
		}
	}
	return used, nil
}
