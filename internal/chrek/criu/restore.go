package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	gocriu "github.com/checkpoint-restore/go-criu/v8"
	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/layer"
)

// RestoreRequest is all that the processes which restore a checkpoint need to know.
type RestoreRequest struct {
	CRIU    config.CRIU
	PID     int    // the placeholder
	Dir     string // the checkpoint
	Points  []string
	Layers  []Layer
	Output  map[int]string // the pipes that the stored process wrote to
	Cgroups []string       // folders of the placeholder's
	Marker  string         // a file that tells the process that it was restored
}

// Layer is an archive of files, and the mount that they are put into.
type Layer struct{ Point, File string }

// RestoreReply is what came of it.
type RestoreReply struct{ Error string }

func replyOf(err error) RestoreReply {
	if err != nil {
		return RestoreReply{err.Error()}
	}
	return RestoreReply{}
}

func (r RestoreReply) failure() error {
	if r.Error != "" {
		return errors.New(r.Error)
	}
	return nil
}

// Where the pod's files are, in the mount namespace of the restore alone.
const (
	place = "/tmp"
	tree  = place + "/root"
	logs  = place + "/logs"
)

func layerDir(i int) string { return filepath.Join(place, "layer-"+strconv.Itoa(i)) }

// enterAndRestore makes a place from which the pod's files can be seen, and goes on with
// restore in a child: one can enter a PID namespace only by having one.
func enterAndRestore(r RestoreRequest) RestoreReply {
	runtime.LockOSThread()
	return replyOf(stage(r))
}

func stage(r RestoreRequest) error {
	files, err := inherited(r)
	if err != nil {
		return err
	}
	defer func() {
		for _, file := range files {
			_ = file.Close()
		}
	}()
	if err := showFiles(r); err != nil {
		return fmt.Errorf("look into the pod's files: %w", err)
	}
	if err := enter(r.PID, "net", "uts", "ipc"); err != nil {
		return err
	}
	if err := setns(filepath.Join("/proc", strconv.Itoa(r.PID), "ns", "pid")); err != nil {
		return fmt.Errorf("enter the pod's PID namespace: %w", err)
	}
	child, err := command(context.Background(), "restore")
	if err != nil {
		return err
	}
	child.ExtraFiles = files
	// If this process is killed the child goes on, until the pod's first process is: Go
	// cannot tie it to a parent that it does not see.
	var reply RestoreReply
	if err := exchange(child, r, &reply); err != nil {
		return err
	}
	return reply.failure()
}

// inherited opens what the child gets from outside: the pod's pipes, in the order of
// outputs, and its cgroups.
func inherited(r RestoreRequest) ([]*os.File, error) {
	var files []*os.File
	for _, fd := range outputs(r) {
		file, err := openPipe(fmt.Sprintf("/proc/%d/fd/%d", r.PID, fd))
		if err != nil {
			return nil, fmt.Errorf("open the pod's output: %w", err)
		}
		files = append(files, file)
	}
	for _, dir := range r.Cgroups {
		file, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open the pod's cgroup: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

// openPipe opens a pipe for writing, and nothing else: what a process has there is its own
// choice, a device too, and we may open more than it may. Nor does it wait for a reader.
func openPipe(path string) (*os.File, error) {
	at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(at) }()
	var stat unix.Stat_t
	if err := unix.Fstat(at, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, fmt.Errorf("%s is no pipe", path)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", at), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// outputs are the file descriptors whose pipes are replaced, each pipe once.
func outputs(r RestoreRequest) []int {
	var fds []int
	seen := map[string]bool{}
	for _, fd := range []int{1, 2} {
		if pipe := r.Output[fd]; pipe != "" && !seen[pipe] {
			seen[pipe] = true
			fds = append(fds, fd)
		}
	}
	return fds
}

// showFiles clones the placeholder's mounts into a mount namespace of our own: all of
// them for CRIU, and each one that gets files by itself, so that what lies on it or
// leads out of it is not there.
func showFiles(r RestoreRequest) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("chrek", place, "tmpfs", 0, "mode=0700"); err != nil {
		return err
	}
	own, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	if err := setns(filepath.Join("/proc", strconv.Itoa(r.PID), "ns", "mnt")); err != nil {
		return err
	}
	clones, err := clone(r)
	if err := errors.Join(err, unix.Setns(int(own.Fd()), unix.CLONE_NEWNS)); err != nil {
		return err
	}
	for dir, fd := range clones {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		_ = unix.Close(fd)
	}
	return os.Mkdir(logs, 0o700)
}

// clone works in the placeholder's mount namespace, and goes through no link there.
func clone(r RestoreRequest) (map[string]int, error) {
	all, err := openTree("/", unix.AT_RECURSIVE)
	if err != nil {
		return nil, err
	}
	clones := map[string]int{tree: all}
	for i, l := range r.Layers {
		if clones[layerDir(i)], err = openTree(l.Point, 0); err != nil {
			return nil, err
		}
	}
	return clones, nil
}

func openTree(point string, flags uint) (int, error) {
	at, err := unix.Openat2(unix.AT_FDCWD, point, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("%s: %w", point, err)
	}
	defer func() { _ = unix.Close(at) }()
	fd, err := unix.OpenTree(at, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", point, err)
	}
	return fd, nil
}

// restore runs in the pod's namespaces but those of its mounts and cgroups. What it
// uses is the pod's to pay for.
func restore(r RestoreRequest) RestoreReply { return replyOf(work(r)) }

func work(r RestoreRequest) error {
	output, cgroups := given(r)
	for _, group := range cgroups {
		if _, err := group.WriteString("0"); err != nil {
			return fmt.Errorf("join the pod's cgroup: %w", err)
		}
		_ = group.Close()
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := putFiles(r); err != nil {
		return err
	}
	logDir, err := os.Open(logs)
	if err != nil {
		return err
	}
	defer func() { _ = logDir.Close() }()
	c := gocriu.MakeCriu()
	c.SetCriuPath(program)
	for i, fd := range outputs(r) {
		c.AddInheritFd(r.Output[fd], output[i])
	}
	opts := restoreOptions(r.CRIU, r.Dir, tree, r.Points)
	opts.WorkDirFd = new(int32(logDir.Fd()))
	if err := c.Restore(opts, nil); err != nil {
		return fmt.Errorf("%w: %s", err, reason(logs))
	}
	return nil
}

// given are the open files that stage hands to restore.
func given(r RestoreRequest) (output, cgroups []*os.File) {
	const first = 3
	for i := range len(outputs(r)) + len(r.Cgroups) {
		file := os.NewFile(uintptr(first+i), "given")
		unix.CloseOnExec(first + i)
		if i < len(outputs(r)) {
			output = append(output, file)
		} else {
			cgroups = append(cgroups, file)
		}
	}
	return output, cgroups
}

func putFiles(r RestoreRequest) error {
	for i, l := range r.Layers {
		archive, err := os.Open(filepath.Join(r.Dir, l.File))
		if err != nil {
			return err
		}
		err = layer.Apply(layerDir(i), archive)
		if err := errors.Join(err, archive.Close()); err != nil {
			return fmt.Errorf("put files into %s: %w", l.Point, err)
		}
	}
	root, err := os.Open(tree)
	if err != nil {
		return err
	}
	return errors.Join(container.Write(root, r.Marker, []byte("restored\n")), root.Close())
}

// clearVolumes takes files out again that a container which is started again would find:
// those of its image are new then, those of volumes are not.
func clearVolumes(r RestoreRequest) RestoreReply {
	runtime.LockOSThread()
	if err := showFiles(r); err != nil {
		return replyOf(err)
	}
	var errs []error
	for i, l := range r.Layers {
		if err := layer.Clear(layerDir(i)); err != nil {
			errs = append(errs, fmt.Errorf("empty %s: %w", l.Point, err))
		}
	}
	return replyOf(errors.Join(errs...))
}
