package chart

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/util"
	"sigs.k8s.io/yaml"
)

// LockName is the name of the lock, which lies beside the fleet file.
const LockName = "wheelhouse.lock"

const lockHeader = `# Third-party charts by content, written by "wheelhouse deps lock". Commit this file.
`

// Lock pins third-party charts by content: what is installed tomorrow is what
// was looked at today.
type Lock struct {
	Charts []Locked `json:"charts"`
	// Images are those that the fleet wants signed.
	Images []LockedImage `json:"images,omitempty"`
}

// Locked is one chart of a lock.
type Locked struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Repository is the one that Chart.yaml names, even if a mirror served it.
	Repository string `json:"repository"`
	// URL is where the package was found.
	URL string `json:"url"`
	// Digest is "sha256:" and the hex digest of the package file.
	Digest string `json:"digest"`
	// Size is the package file's, in bytes.
	Size int64 `json:"size"`
	// Signature is there where the fleet asked for one when the chart was locked.
	Signature Signature `json:"signature,omitzero"`
}

func (l Locked) String() string { return l.Name + " " + l.Version }

var (
	digestFormat = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// nameFormat keeps names and versions from being paths: they become file names.
	nameFormat = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._+]*$`)
)

// ReadLock reads a lock. A lock that does not exist is empty.
func ReadLock(file string) (*Lock, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	return ParseLock(file, data)
}

// ParseLock reads a lock's content; file is for messages.
func ParseLock(file string, data []byte) (*Lock, error) {
	var lock Lock
	if err := yaml.UnmarshalStrict(data, &lock); err != nil {
		return nil, fmt.Errorf("%s is not a lock: %w", file, err)
	}
	for i, c := range lock.Charts {
		if err := errors.Join(CheckAddress(c.URL), CheckAddress(c.Repository)); err != nil {
			return nil, fmt.Errorf("%s: charts[%d] (%s): %w", file, i, c, err)
		}
		if !nameFormat.MatchString(c.Name) || !nameFormat.MatchString(c.Version) || c.URL == "" || c.Size <= 0 || !digestFormat.MatchString(c.Digest) {
			return nil, fmt.Errorf("%s: charts[%d] (%s) needs name, version, url, digest (sha256:...) and size; write it with `wheelhouse deps lock`", file, i, c)
		}
	}
	for i, image := range lock.Images {
		if image.Reference == "" || !digestFormat.MatchString(image.Digest) {
			return nil, fmt.Errorf("%s: images[%d] (%s) needs image and digest (sha256:...); write it with `wheelhouse deps lock`", file, i, image.Reference)
		}
	}
	return &lock, nil
}

// Bytes is the lock as it is written, sorted by name.
func (l *Lock) Bytes() ([]byte, error) {
	slices.SortFunc(l.Charts, func(a, b Locked) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	slices.SortFunc(l.Images, func(a, b LockedImage) int { return cmp.Compare(a.Reference, b.Reference) })
	data, err := yaml.Marshal(l)
	return append([]byte(lockHeader), data...), err
}

// Write replaces a lock, unless its content is the same already.
func (l *Lock) Write(file string) error {
	data, err := l.Bytes()
	if err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := replaceFile(file, data, 0o644); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

// Find returns the chart that a dependency is locked to.
func (l *Lock) Find(d Dependency) (Locked, bool) {
	for _, c := range l.Charts {
		if c.Name == d.Name && sameRepository(c.Repository, d.Repository) && satisfies(d.Version, c.Version) {
			return c, true
		}
	}
	return Locked{}, false
}

// Put adds a chart, in place of the one that the dependency was locked to.
func (l *Lock) Put(d Dependency, c Locked) {
	l.Charts = slices.DeleteFunc(l.Charts, func(old Locked) bool {
		return old.Name == d.Name && sameRepository(old.Repository, d.Repository) && satisfies(d.Version, old.Version)
	})
	l.Charts = append(l.Charts, c)
}

func satisfies(wanted, version string) bool {
	return wanted == version || util.IsCompatibleRange(wanted, version)
}

func sameRepository(a, b string) bool {
	return strings.TrimRight(a, "/") == strings.TrimRight(b, "/")
}

// replaceFile never leaves half a file.
func replaceFile(file string, data []byte, mode os.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
