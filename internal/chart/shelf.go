package chart

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// Shelf is where charts find their third-party dependencies: the lock says
// which, the cache holds them.
type Shelf struct {
	Lock  *Lock
	Cache Cache
}

// Find returns the chart that a dependency is locked to; nil if it is not
// locked or not in the cache. One that is not signed as it must be is an error.
func (s Shelf) Find(d Dependency, trusted signature.Policy) (*Chart, error) {
	if s.Lock == nil {
		return nil, nil
	}
	locked, ok := s.Lock.Find(d)
	if !ok {
		return nil, nil
	}
	if err := locked.Verify(trusted); err != nil {
		return nil, err
	}
	data, err := s.Cache.Read(locked.Digest)
	if notCached(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dependency %s: %w", d, err)
	}
	helm, err := loadArchive(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("dependency %s: %s is not a chart package: %w", d, s.Cache.Path(locked.Digest), err)
	}
	if helm.Name() != d.Name || !satisfies(d.Version, helm.Metadata.Version) {
		return nil, fmt.Errorf("dependency %s: %s holds %s %s", d, s.Cache.Path(locked.Digest), helm.Name(), helm.Metadata.Version)
	}
	return newChart(helm)
}

// Unverified is a shelf for who verifies signatures afterwards, as locking does: a
// lock from before they were asked for must be readable to be completed.
type Unverified struct{ Shelf }

// Find returns the chart that a dependency is locked to, whoever signed it.
func (u Unverified) Find(d Dependency, _ signature.Policy) (*Chart, error) {
	return u.Shelf.Find(d, nil)
}

// ThirdParty lists the dependencies that come from repositories, not from a
// folder beside the chart.
func (c *Chart) ThirdParty() []Dependency {
	var out []Dependency
	for _, d := range c.helm.Metadata.Dependencies {
		if d.Repository != "" && !strings.HasPrefix(d.Repository, fileRepository) {
			out = append(out, describe(d))
		}
	}
	return out
}

// With returns the chart with third-party dependencies added.
func (c *Chart) With(added []*Chart) (*Chart, error) {
	helm := clone(c.helm)
	for _, sub := range added {
		helm.AddDependency(clone(sub.helm))
	}
	out, err := newChart(helm)
	if err != nil {
		return nil, err
	}
	out.added, out.bare = append(slices.Clone(c.added), added...), c.Bare()
	return out, nil
}

// Added names the third-party charts that were added, with their versions.
func (c *Chart) Added() []string {
	var out []string
	for _, sub := range c.added {
		out = append(out, sub.String())
	}
	return out
}

// Bare is the chart without third-party dependencies from the cache.
func (c *Chart) Bare() *Chart {
	if c.bare == nil {
		return c
	}
	return c.bare
}

// DigestFor identifies the content that matters to a release with these
// values: third-party charts that are at hand but off change nothing.
func (c *Chart) DigestFor(values map[string]any) string {
	h := sha256.New()
	addBytes(h, []byte(c.Bare().digest))
	on := false
	for _, sub := range c.added {
		for _, d := range c.helm.Metadata.Dependencies {
			if d.Name == sub.Name() && enabled(d, values) {
				addBytes(h, []byte(sub.digest))
				on = true
			}
		}
	}
	if !on {
		return c.Bare().digest
	}
	return shortDigest(h)
}

// ShelfBeside is the shelf of a fleet file: the lock lies beside it, the cache is the
// user's.
func ShelfBeside(fleetFile string) (Shelf, error) {
	lock, err := ReadLock(LockBeside(fleetFile))
	if err != nil {
		return Shelf{}, err
	}
	dir, err := DefaultCacheDir()
	if err != nil && len(lock.Charts) > 0 {
		return Shelf{}, err
	}
	return Shelf{Lock: lock, Cache: Cache{Dir: dir}}, nil
}

// LockBeside is the path of the lock of a fleet file.
func LockBeside(fleetFile string) string { return filepath.Join(filepath.Dir(fleetFile), LockName) }
