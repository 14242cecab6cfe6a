package preflight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/seccomp"
)

// patience is how long a socket, a program or the storage may take to answer.
const patience = 10 * time.Second

// Gatherer collects the facts of the node that it runs on. It is not safe for
// concurrent use.
type Gatherer struct {
	// writing is a write to the storage that has not come back yet.
	writing chan error
}

// Gather looks at the node. It takes at most some tens of seconds, whatever
// hangs, and leaves nothing behind.
func (g *Gatherer) Gather(ctx context.Context, cfg *config.AgentConfiguration) Facts {
	f := Facts{
		Arch:            runtime.GOARCH,
		Kernel:          readSetting("kernel/osrelease"),
		OpenFiles:       openFilesLimit(limit("Max open files")),
		NrOpen:          number(readSetting("fs/nr_open")),
		CgroupVersion:   cgroupVersion("/sys/fs/cgroup"),
		IOUringDisabled: readSetting("kernel/io_uring_disabled"),
		Storage:         g.writeTo(ctx, cfg.Checkpoint.BasePath),
	}
	if cfg.Seccomp.Deploy {
		f.Kubelet = dial(ctx, cfg.Node.KubeletSocket)
		f.Seccomp = seccomp.Verify(cfg.Seccomp.Directory)
	}
	f.CRIUVersion, f.CRIU = criuVersion(ctx)
	return f
}

// readSetting reads a kernel setting; one that this kernel lacks is empty.
func readSetting(name string) string {
	content, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// limit finds what this process may have at most of something.
func limit(name string) string {
	content, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return ""
	}
	return field(string(content), name, 1)
}

// field finds a line by its name, and a column after the name.
func field(content, name string, column int) string {
	for line := range strings.Lines(content) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if columns := strings.Fields(rest); column < len(columns) {
				return columns[column]
			}
		}
	}
	return ""
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func openFilesLimit(text string) uint64 {
	if text == "unlimited" {
		return ^uint64(0)
	}
	return number(text)
}

// cgroupVersion looks at the mount rather than the kernel: a node that mounts
// both is run in version 1.
func cgroupVersion(mount string) int {
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		return 2
	}
	if _, err := os.Stat(filepath.Join(mount, "memory")); err == nil {
		return 1
	}
	return 0
}

func dial(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}

func criuVersion(ctx context.Context) (string, error) {
	path, err := exec.LookPath("criu")
	if err != nil {
		return "", errors.New("criu is not on the agent's PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w: %s", path, err, bytes.TrimSpace(out))
	}
	return field(string(out), "Version:", 0), nil
}

// writeTo writes a file of a few bytes and removes it. On network storage that
// hangs, the write cannot be called back; so there is never more than one.
func (g *Gatherer) writeTo(ctx context.Context, folder string) error {
	if g.writing == nil {
		g.writing = make(chan error, 1)
		go func(done chan<- error) { done <- tryWrite(folder) }(g.writing)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case err := <-g.writing:
		g.writing = nil
		return err
	case <-ctx.Done():
		return errors.New("the storage does not answer")
	}
}

func tryWrite(folder string) error {
	file, err := os.CreateTemp(folder, ".chrek-preflight-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString("Written by a preflight check; safe to delete.\n")
	return errors.Join(err, file.Sync(), file.Close(), os.Remove(file.Name()))
}
