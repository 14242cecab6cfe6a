package thirdparty

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// bundled is a bundle of two fixture charts and some files.
func bundled(t *testing.T) (data []byte, digest string, l *chart.Lock) {
	t.Helper()
	web := repository(t, packages(t))
	f := fetcher(t)
	l = lock(t, f, dependencies(web.URL)[:2])
	b := &chart.Bundle{Fleet: "f", Files: map[string][]byte{
		"charts/ours-1.0.0.tgz": []byte("ours"), "crds/a.b.c.yaml": []byte("kind: CustomResourceDefinition\n"), "images.txt": []byte("x:1\n"),
	}, Images: []chart.Image{{Reference: "x:1"}}}
	if err := b.AddLocked(chart.Shelf{Lock: l, Cache: f.Cache}); err != nil {
		t.Fatal(err)
	}
	var out, again bytes.Buffer
	digest, err := b.Write(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(&again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("the same bundle has other bytes (%v)", err)
	}
	return out.Bytes(), digest, l
}

func TestBundleBringsChartsAndLock(t *testing.T) {
	data, digest, l := bundled(t)
	b, got, err := chart.ReadBundle(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got != digest || b.Fleet != "f" || len(b.Files) != 6 || b.Images[0].Reference != "x:1" {
		t.Errorf("digest %s, want %s; %d files", got, digest, len(b.Files))
	}
	shelf := chart.Shelf{Lock: &chart.Lock{}, Cache: chart.Cache{Dir: t.TempDir()}}
	if err := b.Unpack(shelf); err != nil {
		t.Fatal(err)
	}
	for _, c := range l.Charts {
		found, err := shelf.Find(chart.Dependency{Name: c.Name, Version: c.Version, Repository: c.Repository}, nil)
		if err != nil || found == nil || found.Name() != c.Name {
			t.Errorf("%s: %v, %v", c, found, err)
		}
	}
	dir := t.TempDir()
	written, err := b.Extract(dir)
	if err != nil || len(written) != len(b.Files) {
		t.Fatalf("extracted %q, %v", written, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "charts", "ours-1.0.0.tgz")); err != nil || string(text) != "ours" {
		t.Errorf("extracted %q, %v", text, err)
	}
}

// One byte of each file is changed, the file left out, given twice, or turned
// into a link: each time the error names it.
func TestTamperingIsDetectedAndNamed(t *testing.T) {
	data, digest, _ := bundled(t)
	entries := unpack(t, data)
	for i, entry := range entries {
		if entry.header.Name == "manifest.json" {
			continue
		}
		for how, change := range map[string]func() []member{
			"changed":   func() []member { return replace(entries, i, flip(entry)) },
			"truncated": func() []member { return replace(entries, i, member{entry.header, entry.data[:len(entry.data)-1]}) },
			"left out":  func() []member { return append(append([]member{}, entries[:i]...), entries[i+1:]...) },
			"twice":     func() []member { return append(append([]member{}, entries...), entry) },
			"link": func() []member {
				return replace(entries, i, member{tar.Header{Name: entry.header.Name, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil})
			},
		} {
			_, _, err := chart.ReadBundle(bytes.NewReader(pack(t, change())))
			if err == nil || !strings.Contains(err.Error(), entry.header.Name) {
				t.Errorf("%s %s: %v", entry.header.Name, how, err)
			}
		}
	}
	added := append(append([]member{}, entries...), member{tar.Header{Name: "charts/evil.tgz", Typeflag: tar.TypeReg}, []byte("x")})
	_, _, err := chart.ReadBundle(bytes.NewReader(pack(t, added)))
	wantError(t, err, "charts/evil.tgz", "changed after it was made")

	// Who changes the manifest too changes the bundle's digest.
	manifest := entries[0]
	manifest.data = bytes.Replace(manifest.data, []byte(`"x:1"`), []byte(`"y:1"`), 1)
	_, got, err := chart.ReadBundle(bytes.NewReader(pack(t, replace(entries, 0, manifest))))
	if err != nil || got == digest {
		t.Errorf("a changed manifest has the same digest (%v)", err)
	}
	manifest.data = bytes.Replace(manifest.data, []byte(`"images.txt"`), []byte(`"../../evil"`), 1)
	_, _, err = chart.ReadBundle(bytes.NewReader(pack(t, replace(entries, 0, manifest))))
	wantError(t, err, "../../evil")
}

func TestBrokenTransferIsDetected(t *testing.T) {
	data, _, _ := bundled(t)
	for _, length := range []int{0, 10, 100, len(data) / 2, len(data) - 1} {
		if _, _, err := chart.ReadBundle(bytes.NewReader(data[:length])); err == nil {
			t.Errorf("%d of %d bytes were taken for the whole", length, len(data))
		}
	}
}

func TestBundleDoesNotOverruleTheSitesLock(t *testing.T) {
	data, _, l := bundled(t)
	b, _, err := chart.ReadBundle(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	site := &chart.Lock{Charts: append([]chart.Locked{}, l.Charts...)}
	site.Charts[1].Digest = "sha256:" + strings.Repeat("0", 64)
	cache := chart.Cache{Dir: t.TempDir()}
	wantError(t, b.Unpack(chart.Shelf{Lock: site, Cache: cache}), l.Charts[1].Name, "the site's lock pins other content")
	if left := files(t, cache.Dir, ".tgz"); len(left) > 0 {
		t.Errorf("the cache took charts of a refused bundle: %q", left)
	}
}

// member is one file of an archive.
type member struct {
	header tar.Header
	data   []byte
}

func unpack(t *testing.T, data []byte) (out []member) {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(compressed)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{*header, content})
	}
}

func pack(t *testing.T, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for _, m := range members {
		m.header.Size = int64(len(m.data))
		if err := archive.WriteHeader(&m.header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func replace(members []member, i int, with member) []member {
	out := append([]member{}, members...)
	out[i] = with
	return out
}

func flip(m member) member {
	data := bytes.Clone(m.data)
	data[len(data)/2] ^= 1
	return member{m.header, data}
}
