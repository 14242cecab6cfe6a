package thirdparty

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func TestRepositoryIsAskedOnceForItsIndexAndNeverAfterLocking(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	f := fetcher(t)
	l := lock(t, f, dependencies(web.URL))
	contents(t, f, l, published)
	if n := countOf(web.seen(), "GET /index.yaml"); n != 1 {
		t.Errorf("the index was read %d times for 4 charts", n)
	}

	// Another machine with the same lock.
	other := fetcher(t)
	fetched := pull(t, other, l)
	contents(t, other, l, published)
	requests := web.seen()
	if len(requests) != 4 || countOf(requests, "index") != 0 {
		t.Errorf("a locked pull asked for more than the packages: %q", requests)
	}
	for _, c := range fetched {
		if c.From != c.URL || c.Size == 0 {
			t.Errorf("%s: from %q, %d bytes", c.Locked, c.From, c.Size)
		}
	}
}

func TestRegistryIsAskedForTheBlobAloneAfterLocking(t *testing.T) {
	published := packages(t)
	oci, address := ociRegistry(t)
	publish(t, address+"/charts", published)
	oci.seen()

	f := fetcher(t)
	l := lock(t, f, dependencies(address+"/charts"))
	contents(t, f, l, published)
	oci.seen()

	other := fetcher(t)
	pull(t, other, l)
	contents(t, other, l, published)
	for _, request := range oci.seen() {
		if !strings.Contains(request, "/blobs/sha256:") {
			t.Errorf("a locked pull asked for more than blobs: %s", request)
		}
	}
}

func TestWarmCacheMakesNoRequest(t *testing.T) {
	web := repository(t, packages(t))
	f := fetcher(t)
	l := lock(t, f, dependencies(web.URL))
	web.seen()
	for _, c := range pull(t, f, l) {
		if c.From != "" {
			t.Errorf("%s was fetched again", c.Locked)
		}
	}
	if err := f.Lock(t.Context(), dependencies(web.URL), l, false); err != nil {
		t.Fatal(err)
	}
	if requests := web.seen(); len(requests) > 0 {
		t.Errorf("requests: %q", requests)
	}
}

func TestRangesAreLockedToTheNewestVersion(t *testing.T) {
	published := map[string][]byte{}
	for _, version := range []string{"1.3.2", "1.4.0", "1.10.1", "2.0.0"} {
		name, data := tiny(t, "nats", version, "")
		published[name] = data
	}
	web := repository(t, published)
	oci, address := ociRegistry(t)
	publish(t, address, published)
	oci.seen()
	folder := t.TempDir()
	for name, data := range published {
		write(t, filepath.Join(folder, name), data)
	}
	for _, place := range []string{web.URL, address, folder} {
		f := fetcher(t)
		l := lock(t, f, []chart.Dependency{{Name: "nats", Version: "^1.3.0", Repository: place}})
		if len(l.Charts) != 1 || l.Charts[0].Version != "1.10.1" {
			t.Errorf("%s: locked %v", place, l.Charts)
		}
		contents(t, f, l, published)
	}
}

func TestReplacedPackageIsRefused(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	f := fetcher(t)
	l := lock(t, f, nats(web.URL))
	_, evil := tiny(t, "nats", "1.3.2", "evil")
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".tgz") {
			_, _ = w.Write(evil)
			return true
		}
		return false
	})
	other := fetcher(t)
	_, err := other.Pull(t.Context(), l.Charts)
	wantError(t, err, "nats 1.3.2 from "+web.URL+"/nats-1.3.2.tgz", l.Charts[0].Digest, "replaced since it was locked")
	if left := files(t, other.Cache.Dir, ".tgz"); len(left) > 0 {
		t.Errorf("the cache took it: %q", left)
	}

	// An index whose digests do not fit is refused when locking, too.
	if err := other.Lock(t.Context(), nats(web.URL), &chart.Lock{}, true); err == nil {
		t.Error("a package that does not fit its index was locked")
	}
}

func TestPackageOfAnotherNameIsRefused(t *testing.T) {
	_, data := tiny(t, "other", "1.3.2", "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nats-1.3.2.tgz"), data)
	err := fetcher(t).Lock(t.Context(), nats(dir), &chart.Lock{}, false)
	wantError(t, err, "holds other 1.3.2, not nats 1.3.2")
}

// The connection breaks in the middle, twice; the rest is asked for from there.
func TestInterruptedDownloadIsContinued(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	oci, address := ociRegistry(t)
	publish(t, address, published)
	for name, at := range map[string]struct {
		server *server
		url    string
	}{"repository": {web, web.URL}, "registry": {oci, address}} {
		t.Run(name, func(t *testing.T) {
			l := lock(t, fetcher(t), nats(at.url))
			at.server.seen()
			data := published["nats-1.3.2.tgz"]
			breaks := 2
			at.server.answer(func(w http.ResponseWriter, r *http.Request) bool {
				if breaks == 0 {
					return false
				}
				breaks--
				start := 0
				_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-start))
				if start > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(data)-1, len(data)))
					w.WriteHeader(http.StatusPartialContent)
				}
				_, _ = w.Write(data[start : start+500])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			})
			f := fetcher(t)
			pull(t, f, l)
			contents(t, f, l, published)
			requests := at.server.seen()
			if len(requests) != 3 || !strings.Contains(requests[1], "bytes=500-") || !strings.Contains(requests[2], "bytes=1000-") {
				t.Errorf("requests: %q", requests)
			}
		})
	}
}

// A run that was killed leaves half a file; the next run continues it. What it
// left may also be garbage.
func TestNextRunContinuesOrStartsAgain(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	l := lock(t, fetcher(t), nats(web.URL))
	data := published["nats-1.3.2.tgz"]
	rest := fmt.Sprintf("bytes=1000-%d", len(data)-1)
	for name, test := range map[string]struct {
		left   []byte
		ranges []string
	}{
		"half":           {data[:1000], []string{rest}},
		"all":            {data, nil},
		"garbage":        {bytes.Repeat([]byte("x"), 1000), []string{rest, ""}},
		"longer garbage": {bytes.Repeat([]byte("x"), len(data)+1), []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			f := fetcher(t)
			write(t, strings.TrimSuffix(f.Cache.Path(l.Charts[0].Digest), ".tgz")+".part", test.left)
			web.seen()
			pull(t, f, l)
			contents(t, f, l, published)
			requests := web.seen()
			var ranges []string
			for _, request := range requests {
				ranges = append(ranges, strings.TrimPrefix(request, "GET /nats-1.3.2.tgz "))
			}
			if !slices.Equal(ranges, test.ranges) {
				t.Errorf("asked for %q, want %q", ranges, test.ranges)
			}
		})
	}
}

func TestServerInTroubleIsAskedAgain(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	answers := []int{503, 429}
	web.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if len(answers) == 0 {
			return false
		}
		w.WriteHeader(answers[0])
		answers = answers[1:]
		return true
	})
	f := fetcher(t)
	contents(t, f, lock(t, f, nats(web.URL)), published)
}

func TestDamagedCacheHealsItself(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	f := fetcher(t)
	l := lock(t, f, nats(web.URL))
	write(t, f.Cache.Path(l.Charts[0].Digest), []byte("bit rot"))
	_, err := chart.Shelf{Lock: l, Cache: f.Cache}.Find(nats(web.URL)[0], nil)
	wantError(t, err, "wheelhouse deps pull")
	pull(t, f, l)
	contents(t, f, l, published)
}

// All charts are on their way at the same time: nobody answers before everybody
// has asked.
func TestChartsAreFetchedInParallel(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	l := lock(t, fetcher(t), dependencies(web.URL))
	var asked sync.WaitGroup
	asked.Add(len(l.Charts))
	web.answer(func(http.ResponseWriter, *http.Request) bool {
		asked.Done()
		asked.Wait()
		return false
	})
	f := fetcher(t)
	pull(t, f, l)
	contents(t, f, l, published)
}

// Two processes pull into one cache: each chart is downloaded once.
func TestTwoPullsShareOneDownload(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	f := fetcher(t)
	l := lock(t, fetcher(t), nats(web.URL))
	web.seen()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			again := &chart.Fetcher{Cache: f.Cache, Base: f.Base}
			if _, err := again.Pull(t.Context(), l.Charts); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	contents(t, f, l, published)
	if requests := web.seen(); len(requests) != 1 {
		t.Errorf("requests: %q", requests)
	}
}

func TestErrorsSayWhatAndWhereAndWhatToDo(t *testing.T) {
	web := repository(t, packages(t))
	_, address := ociRegistry(t)
	dir := t.TempDir()
	gone := serve(t, http.NotFoundHandler())
	gone.Close()
	locked := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	wrong := chart.Dependency{Name: "nats", Version: "9.9.9"}
	for _, test := range []struct {
		repository string
		want       []string
	}{
		{web.URL, []string{"nats 9.9.9", web.URL + "/index.yaml has no nats 9.9.9"}},
		{address, []string{"nats 9.9.9", address + "/nats:9.9.9", "not found"}},
		{dir, []string{"nats 9.9.9", dir, "has no nats-9.9.9.tgz"}},
		{gone.URL, []string{"nats 9.9.9", gone.URL, "spec.chartMirrors", "bundle load"}},
		{locked.URL, []string{"401 Unauthorized", "helm repo add"}},
		{"@bitnami", []string{"aliases", "write the repository's URL"}},
	} {
		wrong.Repository = test.repository
		err := fetcher(t).Lock(t.Context(), []chart.Dependency{wrong}, &chart.Lock{}, false)
		wantError(t, err, test.want...)
	}
}

func TestStoredCredentialsAreUsed(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "me" && password == "secret" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	f := fetcher(t)
	config := filepath.Join(os.Getenv("HELM_CONFIG_HOME"), "repositories.yaml")
	write(t, config, fmt.Appendf(nil, "apiVersion: \"\"\nrepositories:\n- {name: ours, url: %q, username: me, password: secret}\n", web.URL))
	contents(t, f, lock(t, f, nats(web.URL)), published)
}

// A public index is large; one chart's entries are found without parsing it all.
func TestLargeIndexIsFast(t *testing.T) {
	published := packages(t)
	var index bytes.Buffer
	index.WriteString("apiVersion: v1\nentries:\n")
	for i := range 400 {
		fmt.Fprintf(&index, "  chart-%d:\n", i)
		for v := range 100 {
			fmt.Fprintf(&index, "  - apiVersion: v2\n    name: chart-%d\n    version: 1.0.%d\n    description: |\n      Text\n    urls:\n    - c-%d-%d.tgz\n", i, v, i, v)
		}
	}
	index.WriteString("  nats:\n  - apiVersion: v2\n    name: nats\n    version: 1.3.2\n    urls:\n    - files/nats-1.3.2.tgz\ngenerated: \"2026-01-01T00:00:00Z\"\n")
	web := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/index.yaml" {
			_, _ = w.Write(index.Bytes())
			return
		}
		_, _ = w.Write(published["nats-1.3.2.tgz"])
	}))
	begun := time.Now()
	f := fetcher(t)
	l := lock(t, f, nats(web.URL))
	contents(t, f, l, published)
	if l.Charts[0].URL != web.URL+"/files/nats-1.3.2.tgz" {
		t.Errorf("URL %s", l.Charts[0].URL)
	}
	t.Logf("an index of %.1f MiB took %s", float64(index.Len())/(1<<20), time.Since(begun).Round(time.Millisecond))
}
