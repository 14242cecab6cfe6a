package thirdparty

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// A repository is not trusted: its index names no file of this machine, no
// service that only this machine reaches, and no password.
func TestAnIndexNamesNothingOfThisMachine(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(secret, []byte("a private key"), 0o600); err != nil {
		t.Fatal(err)
	}
	var address string
	web := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index.yaml":
			fmt.Fprintf(w, "apiVersion: v1\nentries:\n  nats:\n  - name: nats\n    version: 1.3.2\n    urls: [%q]\n", address)
		case "/redirect":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case secret:
			http.NotFound(w, r)
		}
	}))
	for _, test := range []struct{ address, want string }{
		{"file://" + secret, `of kind "file"`},
		{secret, "404"},
		{"ftp://example.com/nats.tgz", `of kind "ftp"`},
		{"http://169.254.169.254/latest/meta-data/", "169.254.169.254"},
		{web.URL + "/redirect", "169.254.169.254"},
		{"http://user:hunter2@" + strings.TrimPrefix(web.URL, "http://") + "/nats.tgz", "a user name or a password"},
	} {
		address = test.address
		f := fetcher(t)
		err := f.Lock(t.Context(), nats(web.URL), &chart.Lock{}, false)
		wantError(t, err, test.want)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the password: %v", err)
		}
		if left := files(t, f.Cache.Dir, ""); len(files(t, f.Cache.Dir, ".tgz")) > 0 {
			t.Errorf("%s: in the cache: %q", test.address, left)
		}
	}
}

// Addresses with a password are refused before anything is asked or written.
func TestAddressesHaveNoPasswords(t *testing.T) {
	const address = "https://user:hunter2@charts.example.com"
	f := fetcher(t, chart.Mirror{Upstream: "https://up.example.com", URL: address})
	l := &chart.Lock{}
	_, mirror := fetcher(t).Mirror(t.Context(), nil, "oci://user:hunter2@charts.example.com/x")
	_, parse := chart.ParseLock("wheelhouse.lock", fmt.Appendf(nil, "charts: [{name: a, version: 1.0.0, url: %q, digest: %q, size: 1}]\n", address, "sha256:"+strings.Repeat("0", 64)))
	for what, err := range map[string]error{
		"a mirror of the fleet":     f.Lock(t.Context(), nats("https://up.example.com"), l, false),
		"a dependency":              fetcher(t).Lock(t.Context(), nats(address), l, false),
		"the target of deps mirror": mirror,
		"a lock":                    parse,
	} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "charts.example.com has a user name or a password") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(l.Charts) > 0 {
		t.Errorf("locked: %v", l.Charts)
	}
}

func TestTheCacheIsForOneUser(t *testing.T) {
	f := fetcher(t)
	f.Cache.Dir = filepath.Join(t.TempDir(), "cache")
	web := repository(t, packages(t))
	lock(t, f, nats(web.URL))
	err := filepath.WalkDir(f.Cache.Dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A server that is busy is asked again when it says so.
func TestABusyServerSaysWhen(t *testing.T) {
	published := packages(t)
	web := repository(t, published)
	var refused time.Time
	web.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if refused.IsZero() {
			refused = time.Now()
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	f := fetcher(t)
	contents(t, f, lock(t, f, nats(web.URL)), published)
	if waited := time.Since(refused); waited < 3*time.Second {
		t.Errorf("asked again after %s, which the server did not want", waited)
	}
}

// Small files that unpack to large ones are refused with little memory.
func TestBombsTakeLittleMemory(t *testing.T) {
	zeros := make([]byte, 4<<20)
	many := []member{{tar.Header{Name: "nats/Chart.yaml", Typeflag: tar.TypeReg}, []byte("apiVersion: v2\nname: nats\nversion: 1.3.2\n")}}
	for i := range 256 {
		many = append(many, member{tar.Header{Name: fmt.Sprintf("nats/files/%d", i), Typeflag: tar.TypeReg}, zeros})
	}
	bomb := pack(t, many)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nats-1.3.2.tgz"), bomb)
	large := map[string]any{"apiVersion": "wheelhouse.dev/v1alpha1", "kind": "Bundle", "fleet": "f", "files": []map[string]any{{"path": "charts/a.tgz", "digest": "x", "size": 1 << 30}}}
	head, err := json.Marshal(large)
	if err != nil {
		t.Fatal(err)
	}
	bundle := pack(t, append([]member{{tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg}, head}}, many[1:]...))
	manifest := pack(t, []member{{tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg}, make([]byte, 512<<20)}})
	for what, read := range map[string]func() error{
		"a chart": func() error { return fetcher(t).Lock(t.Context(), nats(dir), &chart.Lock{}, false) },
		"a bundle": func() error {
			_, _, err := chart.ReadBundle(bytes.NewReader(bundle))
			return err
		},
		"a bundle's manifest": func() error {
			_, _, err := chart.ReadBundle(bytes.NewReader(manifest))
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		err := read()
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was accepted", what)
		}
		// What was taken in all, given back or not, is more than what was held.
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 256 {
			t.Errorf("%s took %d MiB: %v", what, took, err)
		}
	}
}

func TestABundleHoldsNothingElse(t *testing.T) {
	for _, name := range []string{".git/config", "Makefile", "fleet.yaml", "charts/../Makefile", "charts/sub/a.tgz", "charts/.hidden", "/etc/passwd", "charts"} {
		head := fmt.Sprintf(`{"apiVersion":"wheelhouse.dev/v1alpha1","kind":"Bundle","fleet":"f","files":[{"path":%q,"digest":"x","size":1}]}`, name)
		_, _, err := chart.ReadBundle(bytes.NewReader(pack(t, []member{
			{tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg}, []byte(head)},
			{tar.Header{Name: name, Typeflag: tar.TypeReg}, []byte("x")},
		})))
		wantError(t, err, fmt.Sprintf("%q, which no bundle has", name))
	}
}
