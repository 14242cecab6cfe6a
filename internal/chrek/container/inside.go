package container

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/blockers"
)

// Inside tells of the processes of a container what may block a checkpoint, and of the
// sockets of its network namespace. What ends meanwhile is left out.
func Inside(proc string, c Container) ([]blockers.Process, map[string]string) {
	var all []blockers.Process
	for _, p := range c.All {
		if !contains(p, c.Worker) {
			continue
		}
		dir := filepath.Join(proc, strconv.Itoa(p.PID))
		maps, _ := os.ReadFile(filepath.Join(dir, "maps"))
		all = append(all, blockers.Process{Name: p.Comm, Open: open(dir), Maps: string(maps)})
	}
	tables := map[string]string{}
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
		content, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(c.Worker.PID), "net", name))
		tables[name] = string(content)
	}
	return all, tables
}

// contains reports whether a process is in the worker's PID namespace.
func contains(p, worker Process) bool { return len(p.Inside) >= len(worker.Inside) }

func open(dir string) []blockers.File {
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil
	}
	var files []blockers.File
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(dir, "fd", entry.Name()))
		if err != nil {
			continue
		}
		file := blockers.File{Target: target}
		if strings.HasPrefix(target, "anon_inode:") {
			info, _ := os.ReadFile(filepath.Join(dir, "fdinfo", entry.Name()))
			file.Info = string(info)
		}
		files = append(files, file)
	}
	return files
}
