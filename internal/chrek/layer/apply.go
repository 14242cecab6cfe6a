package layer

import (
	"archive/tar"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Apply puts the files of an archive into a folder. Nothing outside of the folder is
// touched, whatever the archive and the folder say.
func Apply(dir string, in io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	a := &apply{root: root}
	for archive, count := tar.NewReader(in), 0; ; count++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return a.finish()
		}
		if err != nil {
			return err
		}
		if !clean(h.Name) || count >= most {
			return fmt.Errorf("entry %d, %q: no name of a layer, or one too many", count, h.Name)
		}
		if err := a.entry(h, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// Clear empties a folder.
func Clear(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return empty(root, ".")
}

type apply struct {
	root    *os.Root
	folders []*tar.Header // whose times are set when all is in them
}

func (a *apply) entry(h *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(h.Name, "/")
	if _, deleted := h.PAXRecords[recordWhiteout]; deleted {
		return a.root.RemoveAll(name)
	}
	if h.Typeflag == tar.TypeDir {
		return a.folder(name, h)
	}
	if err := a.root.RemoveAll(name); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return a.file(name, h, content)
	case tar.TypeLink:
		if !clean(h.Linkname) {
			return fmt.Errorf("a link to %q", h.Linkname)
		}
		return a.root.Link(h.Linkname, name)
	case tar.TypeSymlink:
		if err := a.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return a.root.Lchown(name, h.Uid, h.Gid)
	case tar.TypeFifo:
		if err := a.fifo(name); err != nil {
			return err
		}
		return a.own(name, h, nil)
	}
	return fmt.Errorf("an entry of type %q", h.Typeflag)
}

func (a *apply) folder(name string, h *tar.Header) error {
	info, err := a.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = errors.Join(a.root.Remove(name), fs.ErrNotExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = a.root.Mkdir(name, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, opaque := h.PAXRecords[recordOpaque]; opaque {
		if err := empty(a.root, name); err != nil {
			return err
		}
	}
	a.folders = append(a.folders, h)
	folder, err := a.root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	return a.own(name, h, folder)
}

func (a *apply) file(name string, h *tar.Header, content io.Reader) error {
	file, err := a.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := fill(file, h, content); err != nil {
		return err
	}
	return a.own(name, h, file)
}

func fill(file *os.File, h *tar.Header, content io.Reader) error {
	size, parts := h.Size, []segment{{0, h.Size}}
	if text, holes := h.PAXRecords[recordSize]; holes {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
		if parts, err = decodeSegments(h.PAXRecords[recordData], size, h.Size); err != nil {
			return err
		}
	}
	if err := file.Truncate(size); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := io.Copy(io.NewOffsetWriter(file, part.offset), io.LimitReader(content, part.length)); err != nil {
			return err
		}
	}
	return nil
}

// own sets what is said of a file besides its content; the owner first, since a change
// of it takes bits of the mode away.
func (a *apply) own(name string, h *tar.Header, file *os.File) error {
	if err := a.root.Lchown(name, h.Uid, h.Gid); err != nil {
		return err
	}
	if file != nil {
		for key, value := range h.PAXRecords {
			attribute, ours := strings.CutPrefix(key, recordXattr)
			if !ours {
				continue
			}
			if !carries(attribute) {
				return fmt.Errorf("attribute %q, which is not carried", attribute)
			}
			raw, err := hex.DecodeString(value)
			if err != nil {
				return err
			}
			if err := unix.Fsetxattr(int(file.Fd()), attribute, raw, 0); err != nil {
				return fmt.Errorf("%s: %w", attribute, err)
			}
		}
	}
	if err := a.root.Chmod(name, modeOf(h.Mode)); err != nil {
		return err
	}
	return a.root.Chtimes(name, time.Time{}, h.ModTime)
}

// modeOf is a mode as the package os writes it.
func modeOf(mode int64) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, flag := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= flag
		}
	}
	return m
}

func (a *apply) fifo(name string) error {
	parent, err := a.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	return unix.Mknodat(int(parent.Fd()), path.Base(name), unix.S_IFIFO|0o600, 0)
}

func (a *apply) finish() error {
	for _, h := range slices.Backward(a.folders) {
		err := a.root.Chtimes(strings.TrimSuffix(h.Name, "/"), time.Time{}, h.ModTime)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func empty(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, one := range names {
		if err := root.RemoveAll(path.Join(name, one)); err != nil {
			return err
		}
	}
	return nil
}
