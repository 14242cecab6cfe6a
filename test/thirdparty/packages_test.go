package thirdparty

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func countOf(requests []string, part string) (n int) {
	for _, request := range requests {
		if strings.Contains(request, part) {
			n++
		}
	}
	return n
}

// files lists what lies below a folder with an ending.
func files(t *testing.T, dir, ending string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(name, ending) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// tiny is a chart with nothing but a value.
func tiny(t *testing.T, name, version, value string) (file string, data []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	write(t, filepath.Join(dir, "Chart.yaml"), fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\n", name, version))
	write(t, filepath.Join(dir, "values.yaml"), fmt.Appendf(nil, "value: %q\n", value))
	c, err := chart.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = c.Package(); err != nil {
		t.Fatal(err)
	}
	return c.FileName(), data
}

// publish pushes packages to a registry, as `wheelhouse deps mirror` does.
func publish(t *testing.T, to string, published map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	var deps []chart.Dependency
	for name, data := range published {
		write(t, filepath.Join(dir, name), data)
		base := strings.TrimSuffix(name, ".tgz")
		for _, known := range fixtures {
			if version, ok := strings.CutPrefix(base, known+"-"); ok {
				deps = append(deps, chart.Dependency{Name: known, Version: version, Repository: dir})
			}
		}
	}
	f := fetcher(t)
	l := &chart.Lock{}
	for _, d := range deps {
		if err := f.Lock(t.Context(), []chart.Dependency{d}, l, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Mirror(t.Context(), l.Charts, to); err != nil {
		t.Fatal(err)
	}
}
