package rollout

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// The old defaults are what Helm recorded, the new ones those of the chart.
func TestDefaultsThatChange(t *testing.T) {
	at := func(line, column int) *fleet.Origin {
		return &fleet.Origin{File: "f.yaml", Line: line, Column: column, Layer: fleet.LayerPlatform}
	}
	for _, test := range []struct {
		name     string
		old      map[string]any
		defaults string
		set      string
		want     []DefaultChange
	}{
		{"nothing", map[string]any{"a": 1.0}, "a: 1", "", nil},
		{"changed and not set", map[string]any{"a": 1.0}, "a: 2", "b: 1", []DefaultChange{{Path: "a", Old: 1.0, New: 2.0}}},
		{"changed but set", map[string]any{"a": 1.0}, "a: 2", "a: 3", []DefaultChange{{Path: "a", Old: 1.0, New: 2.0, SetAt: at(1, 1)}}},
		{"deleted by null", map[string]any{"a": map[string]any{"b": 1.0}}, "a: {b: 2}", "a: null", []DefaultChange{{Path: "a.b", Old: 1.0, New: 2.0, SetAt: at(1, 1)}}},
		{"nested, with a dot", map[string]any{"a": map[string]any{"b.c": 1.0}}, `a: {"b.c": 2}`, "", []DefaultChange{{Path: `a.b\.c`, Old: 1.0, New: 2.0}}},
		{"lists are one value", map[string]any{"a": []any{1.0}}, "a: [1, 2]", "", []DefaultChange{{Path: "a", Old: []any{1.0}, New: []any{1.0, 2.0}}}},
		{"an empty map is filled", map[string]any{"a": map[string]any{}}, "a: {b: 1}", "", []DefaultChange{{Path: "a", Old: map[string]any{}, New: map[string]any{"b": 1.0}}}},
		{"a new key is no change", map[string]any{}, "a: 1", "", nil},
		{"gone, and nobody sets it", map[string]any{"a": 1.0}, "b: 1", "", nil},
		{"renamed, and set", map[string]any{"a": 1.0, "c": 1.0}, "{b: 1, c: 1}", "a: 3", []DefaultChange{{Path: "a", Old: 1.0, Gone: true, Maybe: "b", SetAt: at(1, 1)}}},
		{"gone with many candidates", map[string]any{"a": 1.0}, "{b: 1, c: 1}", "a: 3", []DefaultChange{{Path: "a", Old: 1.0, Gone: true, SetAt: at(1, 1)}}},
		{"gone with all below", map[string]any{"a": map[string]any{"x": 1.0}}, "b: 1", "a:\n  x: 3", []DefaultChange{{Path: "a", Old: map[string]any{"x": 1.0}, Gone: true, Maybe: "b", SetAt: at(2, 3)}}},
		{"a dependency that is not at hand", map[string]any{"nats": map[string]any{"x": 1.0}}, "b: 1", "nats: {x: 2}", nil},
		{"Helm's copies of global", map[string]any{"sub": map[string]any{"global": map[string]any{"x": 1.0}}}, "sub: {global: {x: 2}}", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := fstest.MapFS{
				"c/Chart.yaml":  {Data: []byte("{apiVersion: v2, name: c, version: 1.0.0, dependencies: [{name: nats, version: 1.0.0, repository: 'https://example.com', condition: nats.enabled}]}")},
				"c/values.yaml": {Data: []byte(test.defaults)},
			}
			c, err := chart.OpenFS(files, "c")
			if err != nil {
				t.Fatal(err)
			}
			set, err := fleet.ParseValues("f.yaml", fleet.LayerPlatform, []byte(test.set))
			if err != nil {
				t.Fatal(err)
			}
			defaults, err := c.StoredDefaults(set.PlainMap())
			if err != nil {
				t.Fatal(err)
			}
			d := &defaultsDiff{chart: c, overrides: set}
			d.maps(nil, test.old, defaults)
			if diff := cmp.Diff(test.want, d.keys); diff != "" {
				t.Error(diff)
			}
		})
	}
}
