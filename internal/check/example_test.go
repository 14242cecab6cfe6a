package check_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Examples run on the charts that we ship, with a chart for NATS, which is on by
// default; each is loaded once.
var shipped = sync.OnceValue(func() map[string]*chart.Chart {
	out := map[string]*chart.Chart{}
	for _, key := range fleet.ChartKeys {
		c, err := chart.OpenFS(charts.FS(), key)
		if err != nil {
			panic(err)
		}
		out[key] = withNATS(c)
	}
	return out
})

// withNATS adds what a fleet fetches, unless the chart has it.
func withNATS(c *chart.Chart) *chart.Chart {
	if !slices.ContainsFunc(c.Missing(nil), func(d chart.Dependency) bool { return d.Name == "nats" }) {
		return c
	}
	nats, err := chart.Open("../../test/thirdparty/charts/nats")
	if err != nil {
		panic(err)
	}
	if c, err = c.With([]*chart.Chart{nats}); err != nil {
		panic(err)
	}
	return c
}

func fleetFile(e check.Example) string {
	return "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: example}\nspec:\n  " +
		strings.ReplaceAll(e.Fleet, "\n", "\n  ") + "\n"
}

// sealEverything takes what is plain in an example for what was encrypted.
type sealEverything struct{}

func (sealEverything) Open(_ string, _ []byte, documents []*yaml.Node) (map[*yaml.Node]string, error) {
	documents[0].Content = documents[0].Content[2:] // the notes of SOPS
	sealed := map[*yaml.Node]string{}
	var walk func(n *yaml.Node, isValue bool)
	walk = func(n *yaml.Node, isValue bool) {
		if n.Kind == yaml.ScalarNode && isValue {
			sealed[n] = "ENC[...]"
		}
		for i, below := range n.Content {
			walk(below, n.Kind != yaml.MappingNode || i%2 == 1)
		}
	}
	walk(documents[0], false)
	return sealed, nil
}

// resolved is what rules see of an example before it is rendered.
func resolved(t *testing.T, e check.Example) check.Input {
	t.Helper()
	f, err := fleet.Load(files{"fleet.yaml": fleetFile(e)}, "fleet.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	in := check.Input{Charts: withFiles(t, e.Files), Rendered: map[fleet.Key]*chart.Rendered{}, Images: e.Images, Signatures: e.Signatures, Cluster: e.Cluster}
	defaults := map[string]*fleet.Value{}
	for key, c := range in.Charts {
		defaults[key] = c.Defaults()
	}
	in.Set, err = fleet.Resolve(f, fleet.Input{
		Files: files{"sealed.yaml": "sops: {}\n" + e.Sealed}, Opener: sealEverything{}, Profiles: charts.Profiles(), Defaults: defaults,
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func rendered(t *testing.T, in check.Input) check.Input {
	t.Helper()
	caps := chart.OfflineCapabilities()
	in.KubeVersion = caps.KubeVersion.Version
	for _, rel := range in.Set.Releases {
		objects, err := in.Charts[rel.Chart].Render(chart.Release{Name: rel.Name, Namespace: rel.Namespace}, rel.Overrides.PlainMap(), caps)
		if err != nil {
			t.Fatal(err)
		}
		in.Rendered[rel.Key] = objects
	}
	return in
}

// withFiles lays files over the charts that we ship.
func withFiles(t *testing.T, extra map[string]string) map[string]*chart.Chart {
	t.Helper()
	out := maps.Clone(shipped())
	changed := fstest.MapFS{}
	for path := range extra {
		key, _, _ := strings.Cut(path, "/")
		out[key] = nil
	}
	for key, c := range out {
		if c == nil {
			copyFolder(t, changed, key)
		}
	}
	for path, text := range extra {
		changed[path] = &fstest.MapFile{Data: []byte(text)}
	}
	for key, c := range out {
		if c != nil {
			continue
		}
		c, err := chart.OpenFS(changed, key)
		if err != nil {
			t.Fatal(err)
		}
		out[key] = withNATS(c)
	}
	return out
}

func copyFolder(t *testing.T, into fstest.MapFS, folder string) {
	t.Helper()
	err := fs.WalkDir(charts.FS(), folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.FS(), path)
		into[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// judge lets one rule judge an example: as much of it as the example shows.
func judge(t *testing.T, rule check.Rule, e check.Example) check.Findings {
	t.Helper()
	in := resolved(t, e)
	if check.OnObjects(rule.ID) || e.Files != nil {
		in = rendered(t, in)
	}
	return check.Judge(rule, in)
}
