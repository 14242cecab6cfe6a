package chart

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/registry"
	repo "helm.sh/helm/v4/pkg/repo/v1"
	"sigs.k8s.io/yaml"
)

// source is a place that holds charts.
type source interface {
	// locate finds the newest package that satisfies a version or range.
	locate(ctx context.Context, name, version string) (located, error)
	// guess is the URL under which the place usually has a package.
	guess(name, version string) string
}

// located is a package that was found; digest is empty and size 0 where the
// place does not tell them.
type located struct {
	version, url, digest string
	size                 int64
}

// source opens a repository by the form of its URL.
func (f *Fetcher) source(repository string) (source, error) {
	if err := CheckAddress(repository); err != nil {
		return nil, err
	}
	switch {
	case registry.IsOCI(repository):
		return ociRegistry{f, repository}, nil
	case isHTTP(repository):
		return httpRepository{f, repository}, nil
	case strings.HasPrefix(repository, "@"), strings.HasPrefix(repository, "alias:"):
		return nil, errors.New("repository aliases mean something on one machine only; write the repository's URL into Chart.yaml")
	case repository == "":
		return nil, errors.New("it has no repository")
	default:
		return folder{f, repository}, nil
	}
}

// open makes the download of a URL as a source gave it.
func (f *Fetcher) open(url, digest string, size int64) (download, error) {
	switch {
	case registry.IsOCI(url):
		return f.openBlob(url, digest, size)
	case isHTTP(url):
		return f.openHTTP(url, size), nil
	default:
		return openFile(f.path(url)), nil
	}
}

func isHTTP(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

// path makes the path of a folder or file absolute.
func (f *Fetcher) path(url string) string {
	name := filepath.FromSlash(strings.TrimPrefix(url, fileRepository))
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.Base, name)
}

// httpRepository is a classic chart repository: an index and packages.
type httpRepository struct {
	fetcher *Fetcher
	url     string
}

func (r httpRepository) guess(name, version string) string {
	return r.url + "/" + name + "-" + version + ".tgz"
}

func (r httpRepository) locate(ctx context.Context, name, version string) (located, error) {
	data, err := r.fetcher.indexes.read(r.url, func() ([]byte, error) {
		var data []byte
		err := repeat(ctx, func() (err error) {
			data, err = readAll(ctx, r.fetcher.openHTTP(r.url+"/index.yaml", 0), maxIndex)
			return err
		})
		return data, err
	})
	if err != nil {
		return located{}, err
	}
	index, err := indexOf(data, name)
	if err != nil {
		return located{}, fmt.Errorf("%s/index.yaml: %w", r.url, err)
	}
	entry, err := index.Get(name, version)
	if err != nil || len(entry.URLs) == 0 {
		return located{}, fmt.Errorf("%s/index.yaml has no %s %s (%w)", r.url, name, version, errNotFound)
	}
	base, err := url.Parse(r.url + "/")
	if err != nil {
		return located{}, err
	}
	at, err := base.Parse(entry.URLs[0])
	if err != nil {
		return located{}, fmt.Errorf("%s/index.yaml: %s: %w", r.url, name, err)
	}
	if err := fromIndex(at); err != nil {
		return located{}, fmt.Errorf("%s/index.yaml: %s: %w", r.url, name, err)
	}
	out := located{version: entry.Version, url: at.String()}
	if digest := "sha256:" + strings.TrimPrefix(entry.Digest, "sha256:"); digestFormat.MatchString(digest) {
		out.digest = digest
	}
	return out, nil
}

// maxIndex is the largest index that is read, in bytes, and maxEntries the
// largest part of it that is parsed: YAML takes many times its size in memory.
const (
	maxIndex   = 64 << 20
	maxEntries = 8 << 20
)

// indexes keeps each index, so that a repository is asked once for all charts.
type indexes struct {
	mutex   sync.Mutex
	fetched map[string]func() ([]byte, error)
}

func (x *indexes) read(url string, fetch func() ([]byte, error)) ([]byte, error) {
	x.mutex.Lock()
	once, ok := x.fetched[url]
	if !ok {
		if x.fetched == nil {
			x.fetched = map[string]func() ([]byte, error){}
		}
		once = sync.OnceValues(fetch)
		x.fetched[url] = once
	}
	x.mutex.Unlock()
	return once()
}

// indexOf parses one chart's entries. Public indexes hold thousands of charts,
// and parsing YAML costs a hundred times more than looking for a line.
func indexOf(data []byte, name string) (*repo.IndexFile, error) {
	var index repo.IndexFile
	text := entriesOf(data, name)
	if text == nil {
		text = data
	}
	if len(text) > maxEntries {
		return nil, fmt.Errorf("is larger than %d MiB for %s", maxEntries>>20, name)
	}
	if err := yaml.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("is not an index of charts: %w", err)
	}
	for chart, versions := range index.Entries {
		valid := versions[:0]
		for _, v := range versions {
			if v != nil && v.Metadata != nil && v.Version != "" {
				valid = append(valid, v)
			}
		}
		index.Entries[chart] = valid
	}
	index.SortEntries()
	return &index, nil
}

// entriesOf cuts one chart's block out of an index in the form that Helm
// writes; nil if the index has another form or no such chart.
func entriesOf(data []byte, name string) []byte {
	var out bytes.Buffer
	inEntries, inChart := false, false
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		indented := strings.HasPrefix(line, "  ")
		switch {
		case !indented && line != "" && !strings.HasPrefix(line, "#"):
			inEntries, inChart = line == "entries:", false
		case inEntries && indented && len(line) > 2 && line[2] != ' ' && line[2] != '-':
			inChart = line == "  "+name+":"
		}
		if inChart {
			out.WriteString(line + "\n")
		}
	}
	if lines.Err() != nil || out.Len() == 0 {
		return nil
	}
	return append([]byte("apiVersion: v1\nentries:\n"), out.Bytes()...)
}

// folder holds packages (NAME-VERSION.tgz) and charts (NAME/Chart.yaml).
type folder struct {
	fetcher *Fetcher
	url     string
}

func (d folder) guess(name, version string) string {
	return d.url + "/" + name + "-" + version + ".tgz"
}

func (d folder) locate(_ context.Context, name, version string) (located, error) {
	dir := d.fetcher.path(d.url)
	if _, err := os.Stat(filepath.Join(dir, name, "Chart.yaml")); err == nil {
		return d.packaged(name, version)
	}
	packages, err := filepath.Glob(filepath.Join(dir, name+"-*.tgz"))
	if err != nil {
		return located{}, err
	}
	var versions []string
	for _, file := range packages {
		versions = append(versions, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), name+"-"), ".tgz"))
	}
	best := newest(versions, version)
	if best == "" {
		return located{}, fmt.Errorf("folder %s has no %s-%s.tgz and no chart %s (%w)", dir, name, version, name, errNotFound)
	}
	digest, err := digestFile(filepath.Join(dir, name+"-"+best+".tgz"))
	return located{version: best, url: d.guess(name, best), digest: digest}, err
}

// packaged packages a chart that lies unpacked.
func (d folder) packaged(name, version string) (located, error) {
	c, err := Open(filepath.Join(d.fetcher.path(d.url), name))
	if err != nil {
		return located{}, err
	}
	if !satisfies(version, c.Version()) {
		return located{}, fmt.Errorf("folder %s holds %s, not %s (%w)", d.fetcher.path(d.url), c, version, errNotFound)
	}
	data, err := c.Package()
	if err != nil {
		return located{}, err
	}
	digest, err := d.fetcher.Cache.Put(data)
	return located{version: c.Version(), url: d.url + "/" + name, digest: digest}, err
}

func packageOf(folder string) ([]byte, error) {
	c, err := Open(folder)
	if err != nil {
		return nil, err
	}
	return c.Package()
}

// newest picks the highest of versions that satisfies a version or range.
func newest(versions []string, wanted string) string {
	best, bestVersion := "", (*semver.Version)(nil)
	for _, candidate := range versions {
		v, err := semver.NewVersion(candidate)
		if err == nil && satisfies(wanted, candidate) && (bestVersion == nil || v.GreaterThan(bestVersion)) {
			best, bestVersion = candidate, v
		}
	}
	return best
}
