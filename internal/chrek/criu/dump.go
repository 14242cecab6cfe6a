package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	gocriu "github.com/checkpoint-restore/go-criu/v8"
	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/layer"
)

// DumpRequest is all that the process which takes a checkpoint needs to know.
type DumpRequest struct {
	CRIU    config.CRIU
	PID     int
	Dir     string   // an empty folder, for the checkpoint
	Points  []string // the mounts that the pod provides
	Upper   string   // the folder of the root's changes
	Volumes []string // the points of which all files are kept
	Exclude []string
	Layers  []string // a file name for the root, and for each volume
}

// DumpReply is what came of it.
type DumpReply struct {
	Error   string
	Blocked bool // nothing that a further try would mend
	Frozen  time.Duration
}

// dump works in a process of its own: its thread enters namespaces of the pod.
func dump(r DumpRequest) DumpReply {
	runtime.LockOSThread()
	reply := DumpReply{}
	hook := &frozen{request: r}
	err := enter(r.PID, "net", "uts", "ipc")
	if err == nil {
		c := gocriu.MakeCriu()
		c.SetCriuPath(program)
		if err = c.Dump(dumpOptions(r.CRIU, r.PID, r.Dir, r.Points), hook); err != nil && hook.err == nil {
			why := reason(r.Dir)
			err = fmt.Errorf("%w: %s", err, why)
			if what := remedy(why); what != "" {
				err, reply.Blocked = errors.New(what), true
			}
		}
	}
	if err = errors.Join(hook.err, err); err != nil {
		var blocked *layer.Blocked
		reply.Blocked = reply.Blocked || errors.As(err, &blocked)
		if reply.Error = err.Error(); hook.err != nil {
			reply.Error = hook.err.Error() // what CRIU says is that we said no
		}
	}
	reply.Frozen = time.Since(hook.since)
	_ = os.Remove(filepath.Join(r.Dir, logFile)) // its last errors are in the reply
	return reply
}

// frozen is called while the process stands still: its memory is stored, and its files
// are what its memory thinks they are.
type frozen struct {
	gocriu.NoNotify
	request DumpRequest
	since   time.Time
	err     error
}

func (f *frozen) PreDump() error {
	f.since = time.Now()
	return nil
}

func (f *frozen) PostDump() error {
	f.err = f.files()
	return f.err
}

func (f *frozen) files() error {
	r := f.request
	if err := capture(r.Upper, true, slices.Concat(r.Exclude, beneath("/", r.Points)), filepath.Join(r.Dir, r.Layers[0])); err != nil {
		return fmt.Errorf("the files that the container changed: %w", err)
	}
	for i, point := range r.Volumes {
		volume, err := container.Open("/proc", r.PID, point)
		if err != nil {
			return err
		}
		err = capture(fmt.Sprintf("/proc/self/fd/%d", volume.Fd()), false, beneath(point, r.Points), filepath.Join(r.Dir, r.Layers[i+1]))
		if err := errors.Join(err, volume.Close()); err != nil {
			return fmt.Errorf("the volume %s: %w", point, err)
		}
	}
	return nil
}

func capture(dir string, overlay bool, exclude []string, file string) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(layer.Capture(dir, overlay, exclude, out), out.Close())
}

// beneath excludes what is mounted within a mount: it is made by whoever mounts, and may be
// a Secret or a volume of any size.
func beneath(point string, points []string) []string {
	var exclude []string
	for _, other := range points {
		if inside, ok := strings.CutPrefix(other, strings.TrimSuffix(point, "/")+"/"); ok && inside != "" {
			exclude = append(exclude, "./"+inside)
		}
	}
	return exclude
}

// enter puts the calling thread into namespaces of a process.
func enter(pid int, names ...string) error {
	for _, name := range names {
		if err := setns(filepath.Join("/proc", strconv.Itoa(pid), "ns", name)); err != nil {
			return fmt.Errorf("enter the pod's %s namespace: %w", name, err)
		}
	}
	return nil
}

func setns(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Setns(int(file.Fd()), 0), file.Close())
}
