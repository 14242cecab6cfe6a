package chart_test

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// parent has a sub-chart beside it, one under an alias, and one that nobody has.
func parent() fstest.MapFS {
	return fstest.MapFS{
		"p/Chart.yaml": file(`apiVersion: v2
name: p
version: 1.2.3
dependencies:
- {name: sub, version: 1.0.0, repository: 'file://components/sub', alias: other, condition: other.enabled}
- {name: far, version: 9.9.9, repository: 'https://charts.example.com', condition: far.enabled}
`),
		"p/.helmignore":                       file("components/\n*.bak\n"),
		"p/values.yaml":                       file("far: {enabled: false}\nother: {level: parent}\n"),
		"p/templates/a.yaml":                  file("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  annotations: {helm.sh/resource-policy: keep}\ndata: {x: {{ .Values.x | quote }}}\n"),
		"p/templates/junk.yaml.bak":           file("not a template {{"),
		"p/components/sub/Chart.yaml":         file("apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
		"p/components/sub/values.yaml":        file("enabled: true\nlevel: sub\nkeep: sub\n"),
		"p/components/sub/templates/b.yaml":   file("apiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: there}\nstringData: {level: {{ .Values.level }}, keep: {{ .Values.keep }}}\n"),
		"p/components/sub/templates/c.yaml":   file("{{ if eq .Values.level \"bad\" }}{{ fail \"level must not be bad\" }}{{ end }}"),
		"p/components/sub/values.schema.json": file(`{"type": "object"}`),
	}
}

func open(t *testing.T, fsys fstest.MapFS) *chart.Chart {
	t.Helper()
	c, err := chart.OpenFS(fsys, "p")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func render(t *testing.T, c *chart.Chart, values map[string]any) *chart.Rendered {
	t.Helper()
	r, err := c.Render(chart.Release{Name: "rel", Namespace: "ns"}, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDependenciesBesideTheChartAreLoaded(t *testing.T) {
	c := open(t, parent())
	if got := c.Defaults().At("other").Plain(); !cmp.Equal(got, map[string]any{"enabled": true, "level": "parent", "keep": "sub"}) {
		t.Errorf("defaults: %v", got)
	}
	if origin := c.Defaults().At("other", "keep").Origin.String(); origin != "chart:p/charts/sub/values.yaml:3:1" {
		t.Errorf("origin: %s", origin)
	}
	r := render(t, c, map[string]any{"x": "1"})
	var names []string
	for _, o := range r.Objects {
		names = append(names, o.String())
	}
	if diff := cmp.Diff([]string{"Secret/there/b", "ConfigMap/rel"}, names); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(r.Manifest, "level: parent, keep: sub") || !r.Objects[1].Kept() || r.Objects[0].Kept() {
		t.Errorf("manifest:\n%s", r.Manifest)
	}
	if schemas := c.Schemas(); len(schemas) != 1 || schemas[0].Path[0] != "other" {
		t.Errorf("schemas: %v", schemas)
	}
}

func TestADisabledDependencyRendersNothing(t *testing.T) {
	r := render(t, open(t, parent()), map[string]any{"other": map[string]any{"enabled": false}})
	if len(r.Objects) != 1 {
		t.Errorf("objects: %v", r.Objects)
	}
}

func TestOnlyWantedDependenciesMustBeAtHand(t *testing.T) {
	c := open(t, parent())
	if missing := c.Missing(c.Defaults().PlainMap()); len(missing) != 0 {
		t.Errorf("missing although off: %v", missing)
	}
	missing := c.Missing(map[string]any{"far": map[string]any{"enabled": true}, "other": map[string]any{"enabled": true}})
	if len(missing) != 1 || missing[0].String() != "far 9.9.9 from https://charts.example.com" {
		t.Errorf("missing: %v", missing)
	}
	for _, d := range c.Helm().Metadata.Dependencies {
		if d.Name == "far" {
			t.Error("Helm would look for a chart that is not at hand")
		}
	}
}

func TestDigestFollowsContent(t *testing.T) {
	base := open(t, parent()).Digest()
	if again := open(t, parent()).Digest(); again != base {
		t.Error("the same chart has two digests")
	}
	for _, name := range []string{"p/values.yaml", "p/components/sub/templates/b.yaml"} {
		changed := maps.Clone(parent())
		changed[name] = file(string(changed[name].Data) + "# more\n")
		if open(t, changed).Digest() == base {
			t.Errorf("a change of %s does not change the digest", name)
		}
	}
	if len(base) > 63 {
		t.Error("the digest does not fit a label")
	}
}

func TestAChartsOwnRefusalIsShort(t *testing.T) {
	_, err := open(t, parent()).Render(chart.Release{Name: "r", Namespace: "n"}, map[string]any{"other": map[string]any{"level": "bad"}}, chart.OfflineCapabilities())
	if err == nil || err.Error() != "chart p-1.2.3: level must not be bad" {
		t.Errorf("got %v", err)
	}
}

// Helm writes into charts; run with -race.
func TestOneChartRendersConcurrently(t *testing.T) {
	c := open(t, parent())
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if r := render(t, c, map[string]any{"x": "1"}); len(r.Objects) != 2 {
				t.Errorf("objects: %d", len(r.Objects))
			}
		})
	}
	wait.Wait()
}

func TestEmbeddedChartsLoad(t *testing.T) {
	for key, name := range map[string]string{"crds": "dynamo-crds", "platform": "dynamo-platform"} {
		values := map[string]any{}
		if key == "platform" {
			values["nats"] = map[string]any{"enabled": false} // a chart of somebody else, which is not embedded
		}
		c, err := chart.OpenFS(charts.FS(), key)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name() != name {
			t.Errorf("%s holds %s", key, c.Name())
		}
		r, err := c.Render(chart.Release{Name: name, Namespace: "ns"}, values, chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		again, err := chart.ParseManifest(r.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Objects) == 0 || len(again) != len(r.Objects) || len(r.Hooks) > 0 {
			t.Errorf("%s: %d objects, %d stored, %d hooks", key, len(r.Objects), len(again), len(r.Hooks))
		}
		for _, o := range r.Objects {
			if o.Kind == "" || o.Name == "" || o.APIVersion == "" {
				t.Errorf("%s: object without a head: %+v", key, o)
			}
		}
	}
}
