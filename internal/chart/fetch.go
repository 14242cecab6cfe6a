package chart

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// parallelFetches bounds how many charts are fetched at the same time.
const parallelFetches = 8

// Fetcher finds charts in repositories, registries, folders and mirrors, and
// brings them into the cache. It may be used by one goroutine at a time.
type Fetcher struct {
	Cache   Cache
	Mirrors []Mirror
	// Base is the folder that relative paths start from.
	Base string
	// Signatures says what must be signed to be locked.
	Signatures signature.Policy
	// Begin is told what is being done, until the function it returns is
	// called; nil tells nobody.
	Begin func(what string) (done func())

	web     web
	once    sync.Once
	indexes indexes
}

// Mirror replaces the start of repository URLs.
type Mirror struct {
	// Upstream is a repository URL, or the start of several.
	Upstream string
	// URL is https://..., oci://... or a folder.
	URL string
}

// Fetched says how a chart came into the cache.
type Fetched struct {
	Locked
	// From is the URL of the download; empty if the chart was there already.
	From string `json:"from,omitempty"`
}

// Lock finds the charts that the lock does not know yet, brings them into the
// cache, and adds them to the lock, with the signatures that the fleet asks for.
// With update it looks for all of them again.
func (f *Fetcher) Lock(ctx context.Context, deps []Dependency, lock *Lock, update bool) error {
	var wanted []Dependency
	for _, d := range deps {
		if c, known := lock.Find(d); update || !known || c.Verify(f.Signatures) != nil {
			wanted = append(wanted, d)
		}
	}
	found := make([]Locked, len(wanted))
	err := parallel(ctx, len(wanted), func(ctx context.Context, i int) (err error) {
		defer f.begin("resolving " + wanted[i].Name + " " + wanted[i].Version)()
		c, known := lock.Find(wanted[i])
		if update || !known {
			if c, err = f.lockOne(ctx, wanted[i]); err != nil {
				return err
			}
		}
		found[i], err = f.sign(ctx, c)
		return f.explain(wanted[i], false, err)
	})
	if err != nil {
		return err
	}
	for i, c := range found {
		lock.Put(wanted[i], c)
	}
	return nil
}

func (f *Fetcher) lockOne(ctx context.Context, d Dependency) (Locked, error) {
	repository, mirrored := f.rewrite(d.Repository)
	src, err := f.source(repository)
	if err != nil {
		return Locked{}, fmt.Errorf("%s: %w", d, err)
	}
	at, err := src.locate(ctx, d.Name, d.Version)
	if err != nil {
		return Locked{}, f.explain(d, mirrored, err)
	}
	c := Locked{Name: d.Name, Version: at.version, Repository: d.Repository, URL: at.url, Digest: at.digest, Size: at.size}
	if c.Digest == "" {
		c, err = f.downloadUnknown(ctx, c)
		return c, f.explain(d, mirrored, err)
	}
	if err := f.download(ctx, c, at.url); err != nil {
		return Locked{}, f.explain(d, mirrored, err)
	}
	data, err := f.Cache.Read(c.Digest)
	if err != nil {
		return Locked{}, err
	}
	c.Size = int64(len(data))
	if err := inspect(c, data); err != nil {
		return Locked{}, errors.Join(err, os.Remove(f.Cache.Path(c.Digest)))
	}
	return c, nil
}

// inspect refuses a package that holds another chart than its name says.
func inspect(c Locked, data []byte) error {
	helm, err := loadArchive(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s from %s is not a chart package: %w", c, c.URL, err)
	}
	if helm.Name() != c.Name || helm.Metadata.Version != c.Version {
		return fmt.Errorf("%s holds %s %s, not %s", c.URL, helm.Name(), helm.Metadata.Version, c)
	}
	return nil
}

// Pull brings every chart of a lock into the cache. Nothing is asked of the
// network for what is there.
func (f *Fetcher) Pull(ctx context.Context, charts []Locked) ([]Fetched, error) {
	out := make([]Fetched, len(charts))
	err := parallel(ctx, len(charts), func(ctx context.Context, i int) (err error) {
		out[i], err = f.pullOne(ctx, charts[i])
		return err
	})
	return out, err
}

func (f *Fetcher) pullOne(ctx context.Context, c Locked) (Fetched, error) {
	_, err := f.Cache.Read(c.Digest)
	if err == nil {
		return Fetched{Locked: c}, nil
	}
	if !notCached(err) {
		// Damaged: fetched again.
		if err := os.Remove(f.Cache.Path(c.Digest)); err != nil {
			return Fetched{}, err
		}
	}
	defer f.begin("fetching " + c.String())()
	from, err := f.pullFrom(ctx, c)
	return Fetched{Locked: c, From: from}, err
}

// pullFrom downloads from the mirror, if there is one, else from where the lock
// says. A mirror's index is read only if the usual name is not there.
func (f *Fetcher) pullFrom(ctx context.Context, c Locked) (from string, err error) {
	d := Dependency{Name: c.Name, Version: c.Version, Repository: c.Repository}
	repository, mirrored := f.rewrite(c.Repository)
	if !mirrored || strings.HasPrefix(c.URL, repository+"/") {
		return c.URL, f.explain(d, mirrored, f.download(ctx, c, c.URL))
	}
	src, err := f.source(repository)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d, err)
	}
	from = src.guess(c.Name, c.Version)
	err = f.download(ctx, c, from)
	if errors.Is(err, errNotFound) {
		at, locateErr := src.locate(ctx, c.Name, c.Version)
		if locateErr != nil {
			return "", f.explain(d, mirrored, locateErr)
		}
		if at.digest != "" && at.digest != c.Digest {
			return "", f.explain(d, mirrored, &DigestError{What: c.String() + " from " + at.url, Want: c.Digest, Got: at.digest})
		}
		from, err = at.url, f.download(ctx, c, at.url)
	}
	return from, f.explain(d, mirrored, err)
}

// download brings a package of a known digest into the cache.
func (f *Fetcher) download(ctx context.Context, c Locked, url string) error {
	open, err := f.open(url, c.Digest, c.Size)
	if err != nil {
		return err
	}
	return repeat(ctx, func() error { return f.Cache.fill(ctx, c.String()+" from "+url, c.Digest, c.Size, open) })
}

// downloadUnknown is for repositories whose index has no digests. What is no
// such chart is not kept.
func (f *Fetcher) downloadUnknown(ctx context.Context, c Locked) (Locked, error) {
	open, err := f.open(c.URL, "", 0)
	if err != nil {
		return Locked{}, err
	}
	var data []byte
	err = repeat(ctx, func() (err error) { data, err = readAll(ctx, open, maxPackage); return err })
	if err != nil {
		return Locked{}, err
	}
	if err := inspect(c, data); err != nil {
		return Locked{}, err
	}
	c.Size = int64(len(data))
	c.Digest, err = f.Cache.Put(data)
	return c, err
}

// rewrite applies the mirror with the longest matching upstream.
func (f *Fetcher) rewrite(repository string) (rewritten string, mirrored bool) {
	repository = strings.TrimRight(repository, "/")
	mirrors := slices.SortedFunc(slices.Values(f.Mirrors), func(a, b Mirror) int {
		return cmp.Compare(len(b.Upstream), len(a.Upstream))
	})
	for _, m := range mirrors {
		upstream, to := strings.TrimRight(m.Upstream, "/"), strings.TrimRight(m.URL, "/")
		if rest, ok := strings.CutPrefix(repository, upstream); ok && (rest == "" || rest[0] == '/') {
			return to + rest, true
		}
	}
	return repository, false
}

// explain says which chart could not be had and what to do about it.
func (f *Fetcher) explain(d Dependency, mirrored bool, err error) error {
	var digest *DigestError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &digest):
		return fmt.Errorf("%w: the package has been replaced since it was locked. Look at it first; `wheelhouse deps lock --update` accepts it", err)
	case mirrored:
		repository, _ := f.rewrite(d.Repository)
		return fmt.Errorf("%s, mirrored at %s: %w; `wheelhouse deps mirror` fills a mirror", d, repository, err)
	case unreachable(err):
		return fmt.Errorf("%s: %w; without a way there, name a mirror under spec.chartMirrors or load a bundle (`wheelhouse bundle load FILE`)", d, err)
	default:
		return fmt.Errorf("%s: %w", d, err)
	}
}

func (f *Fetcher) begin(what string) (done func()) {
	if f.Begin == nil {
		return func() {}
	}
	return f.Begin(what)
}

// parallel calls do for 0..n-1, and stops at the first error.
func parallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFetches)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
