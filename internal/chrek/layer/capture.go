// Package layer carries the files of a mount from one pod to another: all of them, or
// what an overlay has changed. The archive is a tar with a few records of our own.
package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Records of an entry, besides those that tar knows.
const (
	recordWhiteout = "CHREK.whiteout" // the image's file of this name was deleted
	recordOpaque   = "CHREK.opaque"   // the image's folder of this name was deleted, and a new one made
	recordSize     = "CHREK.size"     // of a file with holes, whose data alone is here
	recordData     = "CHREK.data"     // where that lies: offset+length,...
	recordXattr    = "CHREK.xattr."
)

// most is how many files a layer has at most: none is written while a process stands still
// for as long as it takes to find out how many there are.
var most = 1_000_000

// deepest is how many folders lie in each other at most: each is open while the next is read.
const deepest = 200

// Blocked says that a file cannot be carried to another pod.
type Blocked struct{ Path, Why string }

func (b *Blocked) Error() string { return "/" + b.Path + " " + b.Why }

// Capture writes the files of a folder. An overlay's own folder may have whiteouts and
// opaque folders. The folder belongs to a process that we do not trust: nothing outside
// of it is read, and only what can do no harm elsewhere is taken.
func Capture(dir string, overlay bool, exclude []string, out io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	c := &capture{root: root, overlay: overlay, exclude: exclude, out: tar.NewWriter(out), links: map[inode]string{}}
	top, err := root.Open(".")
	if err != nil {
		return err
	}
	if err := errors.Join(c.walk(".", top), top.Close()); err != nil {
		return err
	}
	return c.out.Close()
}

type inode struct{ device, number uint64 }

type capture struct {
	root    *os.Root
	overlay bool
	exclude []string
	out     *tar.Writer
	links   map[inode]string
	count   int
}

// walk goes through a folder that is open, so that what is put in its place meanwhile is
// not seen. Names are bytes: fs.WalkDir takes only those that are text.
func (c *capture) walk(name string, folder *os.File) error {
	for {
		entries, err := folder.ReadDir(1000)
		for _, entry := range entries {
			if err := c.visit(path.Join(name, entry.Name())); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *capture) visit(name string) error {
	if excluded(name, c.exclude) {
		return nil
	}
	if c.count++; c.count > most {
		return &Blocked{name, fmt.Sprintf("is one of more than %d files", most)}
	}
	if strings.Count(name, "/") > deepest {
		return &Blocked{name[:100], fmt.Sprintf("lies more than %d folders deep", deepest)}
	}
	info, err := c.root.Lstat(name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: no status", name)
	}
	header := &tar.Header{
		Name: name, Mode: int64(stat.Mode & 0o7777), Uid: int(stat.Uid), Gid: int(stat.Gid), ModTime: info.ModTime(),
		Format: tar.FormatPAX, PAXRecords: map[string]string{},
	}
	return c.write(header, info, stat)
}

func (c *capture) write(h *tar.Header, info fs.FileInfo, stat *syscall.Stat_t) error {
	switch info.Mode().Type() {
	case 0:
		return c.file(h, info, stat)
	case fs.ModeDir:
		return c.folder(h, info)
	case fs.ModeSymlink:
		target, err := c.root.Readlink(h.Name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
		return c.out.WriteHeader(h)
	case fs.ModeNamedPipe:
		h.Typeflag = tar.TypeFifo
		return c.out.WriteHeader(h)
	case fs.ModeSocket:
		return nil // CRIU makes it anew for whoever listens on it
	case fs.ModeDevice | fs.ModeCharDevice:
		if c.overlay && stat.Rdev == 0 {
			h.Typeflag, h.PAXRecords[recordWhiteout] = tar.TypeReg, "1"
			return c.out.WriteHeader(h)
		}
	}
	return &Blocked{h.Name, "is a device, which is not carried to other pods"}
}

func (c *capture) folder(h *tar.Header, info fs.FileInfo) error {
	folder, err := c.open(h.Name, info)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	if err := c.attributes(h, folder); err != nil {
		return err
	}
	name := h.Name
	h.Typeflag, h.Name = tar.TypeDir, name+"/"
	if err := c.out.WriteHeader(h); err != nil {
		return err
	}
	return c.walk(name, folder)
}

func (c *capture) file(h *tar.Header, info fs.FileInfo, stat *syscall.Stat_t) error {
	if stat.Nlink > 1 {
		id := inode{stat.Dev, stat.Ino}
		if first, known := c.links[id]; known {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return c.out.WriteHeader(h)
		}
		c.links[id] = h.Name
	}
	file, err := c.open(h.Name, info)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := c.attributes(h, file); err != nil {
		return err
	}
	h.Typeflag = tar.TypeReg
	parts, err := segments(file, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	for _, part := range parts {
		h.Size += part.length
	}
	if h.Size != info.Size() {
		h.PAXRecords[recordSize], h.PAXRecords[recordData] = strconv.FormatInt(info.Size(), 10), encodeSegments(parts)
	}
	if err := c.out.WriteHeader(h); err != nil {
		return err
	}
	for _, part := range parts {
		// Who writes to it meanwhile gets what it was; who shortens it gets an error.
		if _, err := io.Copy(c.out, io.NewSectionReader(file, part.offset, part.length)); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	return nil
}

// open opens what was seen, not what has been put in its place since.
func (c *capture) open(name string, seen fs.FileInfo) (*os.File, error) {
	file, err := c.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (!os.SameFile(info, seen) || info.Mode().Type() != seen.Mode().Type()) { // numbers are given again
		err = fmt.Errorf("%s changed while it was read", name)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// carries reports whether an extended attribute goes along: those that users and access
// lists have. Others give privileges, or belong to the storage.
func carries(attribute string) bool {
	return strings.HasPrefix(attribute, "user.") || strings.HasPrefix(attribute, "system.posix_acl_")
}

func (c *capture) attributes(h *tar.Header, file *os.File) error {
	names, err := listAttributes(file)
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	for _, name := range names {
		value, err := getAttribute(file, name)
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		switch {
		case carries(name):
			h.PAXRecords[recordXattr+name] = hexOf(value)
		case !c.overlay:
		case name == "trusted.overlay.opaque":
			if string(value) == "y" {
				h.PAXRecords[recordOpaque] = "1"
			}
		case name == "trusted.overlay.redirect", name == "trusted.overlay.metacopy":
			return &Blocked{h.Name, "was moved within the image's files, and the node's overlay keeps only a reference to it; set its option redirect_dir=off"}
		}
	}
	return nil
}

func listAttributes(file *os.File) ([]string, error) {
	buffer := make([]byte, 64<<10)
	n, err := unix.Flistxattr(int(file.Fd()), buffer)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(buffer[:n]), func(r rune) bool { return r == 0 }), nil
}

func getAttribute(file *os.File, name string) ([]byte, error) {
	buffer := make([]byte, 64<<10)
	n, err := unix.Fgetxattr(int(file.Fd()), name, buffer)
	if err != nil {
		return nil, err
	}
	return buffer[:n], nil
}

// clean reports whether a name of an archive lies below its root, as Capture wrote it.
func clean(name string) bool {
	trimmed := strings.TrimSuffix(name, "/")
	return trimmed != "" && trimmed != "." && path.Clean(trimmed) == trimmed && !path.IsAbs(trimmed) &&
		trimmed != ".." && !strings.HasPrefix(trimmed, "../")
}
