package chart_test

import (
	"testing"
	"testing/fstest"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// shelved puts a chart named far, which parent() asks for, on a shelf.
func shelved(t *testing.T, text string) chart.Shelf {
	t.Helper()
	c, err := chart.OpenFS(fstest.MapFS{
		"far/Chart.yaml":           file("apiVersion: v2\nname: far\nversion: 9.9.9\n"),
		"far/values.yaml":          file("depth: " + text + "\n"),
		"far/crds/crd.yaml":        file("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: far.example.com}\n"),
		"far/templates/image.yaml": file("apiVersion: v1\nkind: Pod\nmetadata: {name: far}\nspec: {containers: [{image: 'far:{{ .Values.depth }}'}], initContainers: [{image: first}]}\n"),
	}, "far")
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Package()
	if err != nil {
		t.Fatal(err)
	}
	cache := chart.Cache{Dir: t.TempDir()}
	digest, err := cache.Put(data)
	if err != nil {
		t.Fatal(err)
	}
	return chart.Shelf{Cache: cache, Lock: &chart.Lock{Charts: []chart.Locked{{
		Name: "far", Version: "9.9.9", Repository: "https://charts.example.com/", URL: "x", Digest: digest,
	}}}}
}

func withFar(t *testing.T, text string) (bare, with *chart.Chart) {
	t.Helper()
	bare = open(t, parent())
	far, err := shelved(t, text).Find(bare.ThirdParty()[0], nil)
	if err != nil || far == nil {
		t.Fatalf("found %v, %v", far, err)
	}
	with, err = bare.With([]*chart.Chart{far})
	if err != nil {
		t.Fatal(err)
	}
	return bare, with
}

func TestADependencyOnTheShelfIsUsed(t *testing.T) {
	bare, with := withFar(t, "deep")
	on := map[string]any{"far": map[string]any{"enabled": true}}
	if missing := with.Missing(on); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	if depth := with.Defaults().At("far", "depth").Plain(); depth != "deep" {
		t.Errorf("the dependency's defaults: %v", depth)
	}
	images, err := render(t, with, on).Images()
	if err != nil || len(images) != 2 || images[0] != "far:deep" || images[1] != "first" {
		t.Errorf("images: %q, %v", images, err)
	}
	crds, err := with.CRDs(on)
	if err != nil || len(crds) != 1 || crds[0].Name != "far.example.com" {
		t.Errorf("CRDs: %v, %v", crds, err)
	}
	if crds, err := with.CRDs(nil); err != nil || len(crds) > 0 {
		t.Errorf("CRDs of a dependency that is off: %v, %v", crds, err)
	}
	if with.Bare() != bare || len(bare.Omitted()) != 1 {
		t.Error("the chart itself was changed")
	}
}

// Otherwise fetching a chart for one team would upgrade all teams.
func TestADependencyThatIsOffDoesNotChangeARelease(t *testing.T) {
	bare, with := withFar(t, "deep")
	off, on := bare.Defaults().PlainMap(), map[string]any{"far": map[string]any{"enabled": true}}
	if with.DigestFor(off) != bare.Digest() {
		t.Error("a dependency that is off changes the digest")
	}
	if with.DigestFor(on) == bare.Digest() {
		t.Error("a dependency that is on does not change the digest")
	}
	if _, other := withFar(t, "deeper"); with.DigestFor(on) == other.DigestFor(on) {
		t.Error("another content of the dependency has the same digest")
	}
}

func TestALockIsForOneRepository(t *testing.T) {
	shelf := shelved(t, "deep")
	for _, d := range []chart.Dependency{
		{Name: "far", Version: "9.9.9", Repository: "https://elsewhere.example.com"},
		{Name: "far", Version: "9.9.8", Repository: "https://charts.example.com"},
		{Name: "near", Version: "9.9.9", Repository: "https://charts.example.com"},
	} {
		if found, err := shelf.Find(d, nil); found != nil || err != nil {
			t.Errorf("%s: found %v, %v", d, found, err)
		}
	}
}
