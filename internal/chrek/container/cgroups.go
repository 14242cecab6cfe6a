package container

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Cgroups are the folders of a container's cgroups below the node's mount of them, one
// for each hierarchy that it has a group of its own in.
func Cgroups(mount, proc string, pid int, id string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(strings.TrimSpace(string(content))) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || !strings.Contains(parts[2], id) {
			continue // it shares the group with others
		}
		dir, err := cgroup(mount, parts[1], parts[2], id)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("container %s has no cgroup of its own", id)
	}
	return dirs, nil
}

// cgroup is the folder of one hierarchy. Seen from a cgroup namespace, a path leads
// upwards from a place that is not known, and the group is looked for by its name.
func cgroup(mount, controllers, path, id string) (string, error) {
	base := filepath.Join(mount, strings.TrimPrefix(controllers, "name="))
	if controllers == "" && !exists(filepath.Join(mount, "cgroup.controllers")) {
		base = filepath.Join(mount, "unified") // version 2 beside version 1
	}
	if dir := filepath.Join(base, path); !strings.HasPrefix(path, "/..") && exists(filepath.Join(dir, "cgroup.procs")) {
		return dir, nil
	}
	var found string
	_ = filepath.WalkDir(base, func(dir string, entry fs.DirEntry, _ error) error { // groups come and go meanwhile
		switch {
		case entry == nil || !entry.IsDir():
			return nil
		case strings.Contains(entry.Name(), id) && exists(filepath.Join(dir, "cgroup.procs")):
			found = dir
			return fs.SkipAll
		}
		return nil
	})
	if found != "" {
		return found, nil
	}
	return "", fmt.Errorf("the cgroup %s:%s is not below %s; mount the node's /sys/fs/cgroup there", controllers, path, mount)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
