package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// pack runs the command in the checkout's root and returns the platform's package.
func pack(t *testing.T, lock string, withFixtures bool, name string) []byte {
	t.Helper()
	t.Chdir("../..")
	out := t.TempDir()
	if err := run(out, lock, withFixtures); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(out, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// content lists the sub-charts of a package and returns an annotation of it.
func content(t *testing.T, data []byte, annotation string) (subcharts map[string]string, value string) {
	t.Helper()
	c, err := loader.LoadArchive(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subcharts = map[string]string{}
	for _, sub := range c.Dependencies() {
		subcharts[sub.Name()] = sub.Metadata.Version
	}
	return subcharts, c.Metadata.Annotations[annotation]
}

// names of the dependencies that an annotation lists.
func omittedNames(t *testing.T, annotation string) string {
	t.Helper()
	var listed []struct{ Name string }
	if err := yaml.Unmarshal([]byte(annotation), &listed); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, each := range listed {
		names = append(names, each.Name)
	}
	return strings.Join(names, ",")
}

// Who opens a package finds what was left out of it, and can fetch it.
func TestAPackageIsTheChartAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "platform.tgz")
	if err := os.WriteFile(file, pack(t, "none.lock", false, "dynamo-platform-1.0.0.tgz"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := chart.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ours.ThirdParty(), opened.ThirdParty()); diff != "" {
		t.Errorf("it asks for other charts (-ours +opened):\n%s", diff)
	}
	if missing := opened.Missing(opened.Defaults().PlainMap()); len(missing) != 1 || missing[0].Name != "nats" {
		t.Errorf("it lacks %v, want NATS, which is on by default", missing)
	}
}

func TestWithoutALockThirdPartyChartsAreLeftOut(t *testing.T) {
	data := pack(t, "none.lock", false, "dynamo-platform-1.0.0.tgz")
	subcharts, omitted := content(t, data, chart.OmittedAnnotation)
	if len(subcharts) != 1 || subcharts["dynamo-operator"] == "" || omittedNames(t, omitted) != "nats,etcd,kai-scheduler,grove-charts" {
		t.Errorf("contains %v, omits %q", subcharts, omitted)
	}
}

func TestLockedChartsComeFromTheCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := chart.DefaultCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	nats := chart.Dependency{Name: "nats", Version: "1.3.2", Repository: "https://nats-io.github.io/k8s/helm/charts/"}
	fetcher := chart.Fetcher{Cache: chart.Cache{Dir: dir}, Mirrors: []chart.Mirror{{Upstream: nats.Repository, URL: abs(t, "../../"+fixtures)}}}
	lock := &chart.Lock{}
	if err := fetcher.Lock(t.Context(), []chart.Dependency{nats}, lock, false); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), chart.LockName)
	if err := lock.Write(file); err != nil {
		t.Fatal(err)
	}
	subcharts, omitted := content(t, pack(t, file, false, "dynamo-platform-1.0.0.tgz"), chart.OmittedAnnotation)
	if subcharts["nats"] != "1.3.2" || omittedNames(t, omitted) != "etcd,kai-scheduler,grove-charts" {
		t.Errorf("contains %v, omits %q", subcharts, omitted)
	}
}

func TestFixturesAreMarked(t *testing.T) {
	data := pack(t, "none.lock", true, "dynamo-platform-1.0.0+fixtures.tgz")
	subcharts, marked := content(t, data, fixturesAnnotation)
	if len(subcharts) != 5 || marked != "nats,etcd,kai-scheduler,grove-charts" {
		t.Errorf("contains %v, marked %q", subcharts, marked)
	}
	if _, omitted := content(t, data, chart.OmittedAnnotation); omitted != "" {
		t.Errorf("omits %q", omitted)
	}
	t.Chdir("charts/package")
	if again := pack(t, "none.lock", true, "dynamo-platform-1.0.0+fixtures.tgz"); !bytes.Equal(data, again) {
		t.Error("packaging twice gives other bytes")
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}
