package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens a path in the file system of a process as a place. It goes through mounts,
// and through no link: the file system is a tenant's, who would have us write elsewhere.
func Open(proc string, pid int, name string) (*os.File, error) {
	root, err := os.OpenFile(filepath.Join(proc, strconv.Itoa(pid), "root"), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return openBeneath(root, name, unix.O_PATH)
}

func openBeneath(root *os.File, name string, flags uint64) (*os.File, error) {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return nil, fmt.Errorf("%q must be an absolute path without .. and doubled slashes", name)
	}
	relative := strings.TrimPrefix(name, "/")
	if relative == "" {
		relative = "."
	}
	fd, err := unix.Openat2(int(root.Fd()), relative, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
	})
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s goes through a link, which is not followed", name)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Write puts a small file at a path beneath a folder, whole or not at all, in place of
// what was there. Its parent must exist.
func Write(root *os.File, name string, content []byte) error {
	if path.Clean(name) != name {
		return fmt.Errorf("%q must be an absolute path without .. and doubled slashes", name)
	}
	parent, err := openBeneath(root, path.Dir(name), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	dir, half, final := int(parent.Fd()), ".chrek-"+path.Base(name), path.Base(name)
	if err := unix.Unlinkat(dir, half, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	fd, err := unix.Openat(dir, half, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	file := os.NewFile(uintptr(fd), half)
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := unix.Renameat(dir, half, dir, final); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// WriteIn is Write beneath the root of a process.
func WriteIn(proc string, pid int, name string, content []byte) error {
	root, err := Open(proc, pid, "/")
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return Write(root, name, content)
}
