package chart

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

	"github.com/gofrs/flock"
)

// Cache keeps chart packages by content: sha256/HEX.tgz, for one user. Several
// processes may use it at the same time.
type Cache struct {
	// Dir is the cache's folder; it is made when it is first written to.
	Dir string
}

// DefaultCacheDir is $XDG_CACHE_HOME/wheelhouse/charts, or what stands for it
// on this system.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the chart cache: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(dir, "wheelhouse", "charts"), nil
}

// DigestError is content that is not what was asked for.
type DigestError struct {
	What, Want, Got string
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the digest %s instead of %s", e.What, e.Got, e.Want)
}

// Path is where a package with this digest lies, if it is in the cache.
func (c Cache) Path(digest string) string {
	return filepath.Join(c.Dir, "sha256", strings.TrimPrefix(digest, "sha256:")+".tgz")
}

// Has reports whether a package is in the cache; it does not read it.
func (c Cache) Has(digest string) bool {
	_, err := os.Stat(c.Path(digest))
	return err == nil
}

// Read returns a package and verifies it again: disks and people change files.
// The error of a package that is not there is fs.ErrNotExist.
func (c Cache) Read(digest string) ([]byte, error) {
	data, err := os.ReadFile(c.Path(digest))
	if err != nil {
		return nil, err
	}
	if got := digestBytes(data); got != digest {
		return nil, fmt.Errorf("%w; `wheelhouse deps pull` fetches it again", &DigestError{What: c.Path(digest), Want: digest, Got: got})
	}
	return data, nil
}

// Put stores a package and returns its digest.
func (c Cache) Put(data []byte) (string, error) {
	digest := digestBytes(data)
	if err := os.MkdirAll(filepath.Dir(c.Path(digest)), 0o700); err != nil {
		return "", fmt.Errorf("write the chart cache: %w", err)
	}
	if err := replaceFile(c.Path(digest), data, 0o600); err != nil {
		return "", fmt.Errorf("write the chart cache: %w", err)
	}
	return digest, nil
}

// download opens a package from an offset. It returns the offset at which the
// body really starts: 0 where the other side cannot resume.
type download func(ctx context.Context, offset int64) (body io.ReadCloser, start int64, err error)

// fill fetches a package of a known digest and size (0: not known). What an
// interrupted run has left is continued; nothing enters the cache that has
// another digest.
func (c Cache) fill(ctx context.Context, what, digest string, size int64, open download) error {
	part := strings.TrimSuffix(c.Path(digest), ".tgz") + ".part"
	if err := os.MkdirAll(filepath.Dir(part), 0o700); err != nil {
		return fmt.Errorf("write the chart cache: %w", err)
	}
	// One process downloads, the others wait for it.
	lock := flock.New(part + ".lock")
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("wait for another download of %s: %w", what, err)
	}
	defer func() { _ = lock.Close() }()
	if c.Has(digest) {
		return nil
	}
	resumed, err := continueFile(ctx, part, size, open)
	if err != nil {
		return err
	}
	got, err := digestFile(part)
	if err != nil {
		return err
	}
	if got != digest {
		if err := os.Remove(part); err != nil {
			return fmt.Errorf("write the chart cache: %w", err)
		}
		if resumed {
			// The two halves may come from different packages: once more from the start.
			return errResumedWrong
		}
		return &DigestError{What: what, Want: digest, Got: got}
	}
	return os.Rename(part, c.Path(digest))
}

// maxPackage is the largest package that is downloaded, in bytes; charts are
// far smaller, and a server must not fill the disk.
const maxPackage = 256 << 20

// lockPoll is how often a process looks whether another one has finished.
const lockPoll = 100 * time.Millisecond

var errResumedWrong = errors.New("the continued download has another digest")

// continueFile appends to a file what it lacks; a complete one asks for nothing.
func continueFile(ctx context.Context, name string, full int64, open download) (resumed bool, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, fmt.Errorf("write the chart cache: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	if full > 0 && size >= full {
		return true, nil
	}
	body, start, err := open(ctx, size)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	if start != size {
		start = 0
	}
	if err := file.Truncate(start); err != nil {
		return false, err
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return false, err
	}
	_, err = io.Copy(file, io.LimitReader(body, maxPackage-start))
	return start > 0, err
}

func digestBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func digestFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// notCached tells "not in the cache" from other errors.
func notCached(err error) bool { return errors.Is(err, fs.ErrNotExist) }
