package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Store is where the artifacts of one namespace lie, a folder each.
type Store struct {
	dir  string
	node string
}

// What stands against a restore from what is stored.
var (
	ErrMissing = errors.New("there is no such checkpoint")
	ErrDamaged = errors.New("the checkpoint is damaged")
)

// Folders that are no artifact: drafts, by the node that writes them, and what a draft
// replaces while it does.
const (
	draftPrefix = ".new@"
	oldPrefix   = ".old@"
)

// NewStore is the store of a namespace below a folder; node is who writes to it.
func NewStore(base, namespace, node string) *Store {
	return &Store{filepath.Join(base, namespace), node}
}

// Location is the folder of an artifact.
func (s *Store) Location(id string) string { return filepath.Join(s.dir, id) }

// Draft is an artifact that is not there yet.
type Draft struct {
	store *Store
	id    string
	Dir   string
}

// Begin makes an empty draft. It ends by Commit or Abort.
func (s *Store) Begin(id string) (*Draft, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, draftPrefix+s.node+"@")
	if err != nil {
		return nil, err
	}
	return &Draft{s, id, dir}, nil
}

// Abort leaves nothing. After Commit it does nothing.
func (d *Draft) Abort() error { return os.RemoveAll(d.Dir) }

// Commit makes the draft the artifact: all files are on the storage before the manifest
// that names them, and that before its place is taken. Until then the earlier artifact
// of that name is there, untouched.
func (d *Draft) Commit(ctx context.Context, m *Manifest) error {
	files, err := describe(ctx, d.Dir)
	if err != nil {
		return err
	}
	m.Format, m.ID, m.Files = Format, d.id, files
	data, err := encode(m)
	if err != nil {
		return err
	}
	for name := range files {
		if err := sync(filepath.Join(d.Dir, name)); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(d.Dir, manifestName), data); err != nil {
		return err
	}
	if err := sync(d.Dir); err != nil {
		return err
	}
	return d.place()
}

// place moves the draft to its place in one step, where the storage can do so; else an
// earlier artifact is aside for a moment, and Sweep puts it back if that was the last.
func (d *Draft) place() error {
	place := d.store.Location(d.id)
	err := unix.Renameat2(unix.AT_FDCWD, d.Dir, unix.AT_FDCWD, place, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return sync(d.store.dir)
	case errors.Is(err, unix.EEXIST):
		err = unix.Renameat2(unix.AT_FDCWD, d.Dir, unix.AT_FDCWD, place, unix.RENAME_EXCHANGE)
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		err = d.aside(place)
	}
	if err != nil {
		return fmt.Errorf("put %s in its place: %w", d.id, err)
	}
	return errors.Join(sync(d.store.dir), os.RemoveAll(d.Dir))
}

func (d *Draft) aside(place string) error {
	old := filepath.Join(d.store.dir, oldPrefix+d.id)
	if err := os.Rename(place, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(d.Dir, place); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// Sweep removes what interrupted dumps of this node have left.
func (s *Store) Sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(s.dir, entry.Name())
		if id, old := strings.CutPrefix(entry.Name(), oldPrefix); old {
			err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, s.Location(id), unix.RENAME_NOREPLACE)
			if errors.Is(err, unix.EEXIST) {
				err = os.RemoveAll(path)
			}
			errs = append(errs, err)
		} else if strings.HasPrefix(entry.Name(), draftPrefix+s.node+"@") {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// List names the artifacts that are there, whole or damaged.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			all = append(all, entry.Name())
		}
	}
	return all, err
}

// Entry looks at one artifact, and reads no more of it than its manifest.
func (s *Store) Entry(id string) (Entry, error) {
	e := Entry{ID: id}
	files, err := os.ReadDir(s.Location(id))
	if errors.Is(err, fs.ErrNotExist) {
		return e, fmt.Errorf("%w: %s", ErrMissing, s.Location(id))
	}
	if err != nil {
		return e, err
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			return e, err
		}
		e.Size += info.Size()
	}
	if e.Manifest, err = s.Manifest(id); err != nil {
		e.Problem = err.Error()
	}
	return e, nil
}

// Remove takes an artifact away: it is there whole or not at all, also for who reads it
// now, and what an interruption leaves of it is swept like a draft.
func (s *Store) Remove(id string) error {
	gone, err := os.MkdirTemp(s.dir, draftPrefix+s.node+"@")
	if err != nil {
		return err
	}
	if err := unix.Rename(s.Location(id), gone); err != nil {
		err = fmt.Errorf("remove %s: %w", id, err)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s", ErrMissing, s.Location(id))
		}
		return errors.Join(err, os.Remove(gone))
	}
	return errors.Join(sync(s.dir), os.RemoveAll(gone))
}

// Abandoned removes drafts of all nodes in which nothing has been written since a time:
// a node that is gone does not sweep its own.
func (s *Store) Abandoned(since time.Time) error {
	drafts, err := filepath.Glob(filepath.Join(s.dir, draftPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, draft := range drafts {
		written, err := lastWritten(draft)
		if err == nil && written.Before(since) {
			err = os.RemoveAll(draft)
		}
		if !errors.Is(err, fs.ErrNotExist) { // its own node may end it meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// lastWritten is when something was written last in a folder or its files.
func lastWritten(dir string) (time.Time, error) {
	var last time.Time
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return err
	})
	return last, err
}

// Manifest reads what an artifact says of itself.
func (s *Store) Manifest(id string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(s.Location(id), manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(s.Location(id)); err == nil {
			return nil, fmt.Errorf("%w: %s has no manifest", ErrDamaged, s.Location(id))
		}
		return nil, fmt.Errorf("%w: %s", ErrMissing, s.Location(id))
	}
	if err != nil {
		return nil, err
	}
	m, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if m.ID != id {
		return nil, fmt.Errorf("%w: %s says that it is %q", ErrDamaged, manifestName, m.ID)
	}
	return m, nil
}

// Verify reads every file of an artifact and holds it against its manifest.
func (s *Store) Verify(ctx context.Context, m *Manifest) error {
	found, err := describe(ctx, s.Location(m.ID))
	if err != nil {
		return err
	}
	for name, want := range m.Files {
		got, there := found[name]
		switch {
		case !there:
			return fmt.Errorf("%w: %s is missing", ErrDamaged, name)
		case got.Size != want.Size:
			return fmt.Errorf("%w: %s has %d bytes, and had %d", ErrDamaged, name, got.Size, want.Size)
		case got != want:
			return fmt.Errorf("%w: %s is not what was stored", ErrDamaged, name)
		}
	}
	for name := range found {
		if _, known := m.Files[name]; !known {
			return fmt.Errorf("%w: %s does not belong to it", ErrDamaged, name)
		}
	}
	return nil
}

// describe reads all files of a folder but the manifest.
func describe(ctx context.Context, dir string) (map[string]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]File{}
	for _, entry := range entries {
		if entry.Name() == manifestName {
			continue
		}
		if !entry.Type().IsRegular() {
			return nil, fmt.Errorf("%w: %s is no regular file", ErrDamaged, entry.Name())
		}
		file, err := digest(ctx, filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files[entry.Name()] = file
	}
	return files, nil
}

func digest(ctx context.Context, path string) (File, error) {
	file, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	size, err := io.Copy(hash, reader{ctx, file})
	return File{size, hex.EncodeToString(hash.Sum(nil))}, err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	in  io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

func write(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// sync brings a file, or a folder's names, to storage.
func sync(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
