// Package thirdparty tests how charts of others are found, pinned, fetched,
// mirrored and carried: against a real registry and a real chart repository on
// loopback, with the fixture charts.
package thirdparty

import (
	"bytes"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"helm.sh/helm/v4/pkg/repo/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// fixtures are the charts of the platform's third-party dependencies.
var fixtures = []string{"nats", "etcd", "kai-scheduler", "grove-charts"}

// server counts what is asked of it, and can be made to fail.
type server struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []string
	// intercept may answer a request itself.
	intercept func(w http.ResponseWriter, r *http.Request) (answered bool)
}

func serve(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Range"))
		intercept := s.intercept
		s.mutex.Unlock()
		if intercept == nil || !intercept(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// seen returns the requests so far and forgets them.
func (s *server) seen() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

func (s *server) answer(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.intercept = f
}

// packages are the fixture charts as Helm packages, by file name.
func packages(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range fixtures {
		c, err := chart.Open(filepath.Join("charts", name))
		if err != nil {
			t.Fatal(err)
		}
		data, err := c.Package()
		if err != nil {
			t.Fatal(err)
		}
		out[c.FileName()] = data
	}
	return out
}

// repository serves packages with the index that Helm makes of them.
func repository(t *testing.T, files map[string][]byte) *server {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
	index, err := repo.IndexDirectory(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := index.WriteFile(filepath.Join(dir, "index.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	return serve(t, fileServer(dir))
}

// ociRegistry is an empty registry; its address starts with oci://.
func ociRegistry(t *testing.T) (*server, string) {
	t.Helper()
	s := serve(t, registry.New(registry.Logger(log.New(&bytes.Buffer{}, "", 0))))
	return s, "oci://" + strings.TrimPrefix(s.URL, "http://")
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func fetcher(t *testing.T, mirrors ...chart.Mirror) *chart.Fetcher {
	t.Helper()
	// Nobody's credentials.
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	return &chart.Fetcher{Cache: chart.Cache{Dir: t.TempDir()}, Base: t.TempDir(), Mirrors: mirrors}
}

// dependencies are the fixtures as a chart asks for them from one repository.
func dependencies(repository string) []chart.Dependency {
	var out []chart.Dependency
	for name, version := range map[string]string{"nats": "1.3.2", "etcd": "12.0.18", "kai-scheduler": "v0.9.4", "grove-charts": "v0.1.0-alpha.6"} {
		out = append(out, chart.Dependency{Name: name, Version: version, Repository: repository})
	}
	return out
}

func nats(repository string) []chart.Dependency {
	return []chart.Dependency{{Name: "nats", Version: "1.3.2", Repository: repository}}
}

func lock(t *testing.T, f *chart.Fetcher, deps []chart.Dependency) *chart.Lock {
	t.Helper()
	l := &chart.Lock{}
	if err := f.Lock(t.Context(), deps, l, false); err != nil {
		t.Fatal(err)
	}
	return l
}

func pull(t *testing.T, f *chart.Fetcher, l *chart.Lock) []chart.Fetched {
	t.Helper()
	fetched, err := f.Pull(t.Context(), l.Charts)
	if err != nil {
		t.Fatal(err)
	}
	return fetched
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

// contents checks that everything locked is in the cache as it was published.
func contents(t *testing.T, f *chart.Fetcher, l *chart.Lock, published map[string][]byte) {
	t.Helper()
	if len(l.Charts) == 0 {
		t.Error("the lock is empty")
	}
	for _, c := range l.Charts {
		data, err := f.Cache.Read(c.Digest)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(data, published[fmt.Sprintf("%s-%s.tgz", c.Name, c.Version)]) {
			t.Errorf("%s in the cache is not what was published", c)
		}
	}
}

func fileServer(dir string) http.Handler { return http.FileServer(http.Dir(dir)) }

func abs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}
