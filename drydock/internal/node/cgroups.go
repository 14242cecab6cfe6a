package node

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is a mounted cgroup tree: one per controller in version 1, a single one in version 2.
type hierarchy struct {
	mountPoint string
	version2   bool
	cpuset     bool
}

func cgroupName(id string) string { return "drydock-" + id }

func hierarchies() ([]hierarchy, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer func() { _ = mounts.Close() }()
	var list []hierarchy
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || (fields[2] != "cgroup" && fields[2] != "cgroup2") || !strings.HasPrefix(fields[1], "/sys/fs/cgroup") {
			continue
		}
		options := strings.Split(fields[3], ",")
		list = append(list, hierarchy{fields[1], fields[2] == "cgroup2", slices.Contains(options, "cpuset")})
	}
	if len(list) == 0 {
		return nil, errors.New("no cgroups are mounted at /sys/fs/cgroup, and containers need them; mount them as your system does at boot")
	}
	return list, lines.Err()
}

// joinCgroups makes the node's cgroup in every hierarchy and moves this process there.
func joinCgroups(name string) error {
	list, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range list {
		if h.version2 {
			if err := delegateControllers(h.mountPoint); err != nil {
				return err
			}
		}
		dir := filepath.Join(h.mountPoint, cgroupName(name))
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("creating a cgroup: %w", err)
		}
		if h.cpuset && !h.version2 {
			if err := inheritCPUs(h.mountPoint, dir); err != nil {
				return err
			}
		}
		if err := moveHere(dir); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs fills a new version 1 cpuset, which is born empty and takes no process until it is filled.
func inheritCPUs(parent, child string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		content, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(child, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func moveHere(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("joining cgroup %s: %w", dir, err)
	}
	return nil
}

// confineCgroups shows the node only its own part of every hierarchy, and moves this process into a leaf of it,
// because in version 2 a cgroup with children may hold no process.
func confineCgroups(name string) error {
	list, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range list {
		own := filepath.Join(h.mountPoint, cgroupName(name))
		if err := unix.Mount(own, h.mountPoint, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", own, err)
		}
		if err := enterLeaf(h); err != nil {
			return err
		}
	}
	return nil
}

func enterLeaf(h hierarchy) error {
	leaf := filepath.Join(h.mountPoint, "components")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if h.cpuset && !h.version2 {
		if err := inheritCPUs(h.mountPoint, leaf); err != nil {
			return err
		}
	}
	if err := moveHere(leaf); err != nil {
		return err
	}
	if h.version2 {
		return delegateControllers(h.mountPoint)
	}
	return nil
}

// delegateControllers lets the children of a version 2 cgroup use all controllers that it may use itself.
func delegateControllers(dir string) error {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(available)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("delegating controller %s: %w", controller, err)
		}
	}
	return nil
}

// killAll kills every process in the node's cgroups until there is none.
func killAll(name string) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		pids, err := members(name)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of node %s do not end, not even when killed", pids, name)
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("killing process %d: %w", pid, err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// members lists the processes in the node's cgroups, in any hierarchy.
func members(name string) ([]int, error) {
	var pids []int
	err := eachCgroup(name, func(dir string) error {
		content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
			return nil // it vanished meanwhile
		}
		if err != nil {
			return err
		}
		for _, field := range strings.Fields(string(content)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
}

// eachCgroup visits the node's cgroups, parents first.
func eachCgroup(name string, visit func(dir string) error) error {
	list, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range list {
		top := filepath.Join(h.mountPoint, cgroupName(name))
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !entry.IsDir() {
				return err
			}
			return visit(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func removeCgroups(name string) error {
	var all []string
	err := eachCgroup(name, func(dir string) error { all = append(all, dir); return nil })
	if err != nil {
		return err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := removeCgroup(all[i]); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup tries for a moment: the kernel still counts a process that just died.
func removeCgroup(dir string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
