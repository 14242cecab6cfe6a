package trace_test

import (
	"slices"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

// platform is our own platform chart, as it is embedded.
func platform(t *testing.T) trace.Subject {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), fleet.ChartPlatform)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Parse("f.yaml", []byte("apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  shared: {registry: mirror.example.com}\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: a}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := fleet.Resolve(f, fleet.Input{Files: files{}, Profiles: charts.Profiles(), Defaults: map[string]*fleet.Value{fleet.ChartPlatform: c.Defaults()}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := trace.NewSubject(resolved.Platforms()[0], c, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A platform engineer's questions about our operator.
func TestFieldsOfOurOperator(t *testing.T) {
	s := platform(t)
	for field, want := range map[string][]string{
		"spec.replicas": {"dynamo-operator.controllerManager.replicas"},
		"spec.template.spec.containers[manager].image": {
			"dynamo-operator.controllerManager.manager.image.repository", "dynamo-operator.controllerManager.manager.image.tag",
			"dynamo-operator.controllerManager.manager.image.digest", "global.imageRegistry",
		},
		"spec.template.spec.nodeSelector": {"dynamo-operator.controllerManager.nodeSelector"},
	} {
		_, object, err := trace.Find([]trace.Subject{s}, "deploy/dynamo-platform-dynamo-operator-controller-manager")
		if err != nil {
			t.Fatal(err)
		}
		path, err := trace.ParsePath(field)
		if err != nil {
			t.Fatal(err)
		}
		f, err := trace.Explain(t.Context(), s, object, path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, cause := range f.Causes {
			if cause.Effect == trace.Content {
				got = append(got, cause.Path)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: made of %q, want %q", field, got, want)
		}
	}
}

// A value that has no other content which the chart accepts could not be
// traced, and would be missing from every answer.
func TestEveryValueOfOurChartsCanBeTraced(t *testing.T) {
	s := platform(t)
	leaves := fleet.Explain(s.Values, "")
	if len(leaves) < 75 {
		t.Fatalf("only %d values", len(leaves))
	}
	for _, leaf := range leaves {
		if !trace.Tractable(s, fleet.SplitPath(leaf.Path)) {
			t.Errorf("%s: the chart refuses everything that is tried instead of %v", leaf.Path, leaf.Value)
		}
	}
}
