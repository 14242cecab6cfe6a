package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// number gives every node of a tree a line of its own.
func number(v *Value, line *int) {
	*line++
	v.Origin.Line = *line
	for _, key := range v.Keys() {
		number(v.Fields[key], line)
	}
}

// Nothing that any layer says gets lost: what is not in effect is named as
// overridden or deleted, whatever turned into whatever.
func TestEveryLeafOfEveryLayerIsAccountedFor(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		layers := make([]*Value, 2+r.IntN(4))
		line := 0
		for i := range layers {
			layers[i] = randomTree(r, 3, i > 0, Layer(fmt.Sprint(i)))
			number(layers[i], &line)
		}
		effective := Effective(layers[0], MergeAll(layers[1:]...))
		mentioned := map[int]any{}
		for _, leaf := range Explain(effective, "") {
			if leaf.Origin.Line == 0 {
				t.Fatalf("%s has no origin", leaf.Path)
			}
			mentioned[leaf.Origin.Line] = leaf.Value
			for _, lost := range leaf.Overrode {
				mentioned[lost.Origin.Line] = lost.Value
			}
		}
		for i, layer := range layers {
			for _, leaf := range Explain(layer, "") {
				if leaf.Value != nil && cmp.Equal(leaf.Value, map[string]any{}) {
					continue // an empty map sets nothing
				}
				if got, ok := mentioned[leaf.Origin.Line]; !ok || !cmp.Equal(got, leaf.Value) {
					t.Fatalf("%s: %v of layer %d is mentioned as %v (%v)\nlayers:\n%v", leaf.Path, leaf.Value, i, got, ok, plain(layers))
				}
			}
		}
	}
}

func plain(layers []*Value) (out []any) {
	for _, layer := range layers {
		out = append(out, layer.Plain(), "\n")
	}
	return out
}

func TestExplainNamesWhatWasLost(t *testing.T) {
	defaults := values(t, LayerDefaults, "gone: {x: 1, y: 2}\nnumber: 1\nmap: {x: 1}\nsame: 1\nnode: {a.b/c: 1}\n")
	overrides := MergeAll(
		values(t, LayerFleet, "gone:\n  y: 3\nnumber: {x: 2}\nmap:\n  x: 2\nnode: {a.b/c: 2}\n"),
		values(t, LayerPlatform, "gone: null\nmap: 5\n"),
	)
	v := Effective(defaults, overrides)
	at := func(line, column int, layer Layer) Origin {
		return Origin{File: "test.yaml", Line: line, Column: column, Layer: layer}
	}
	for _, test := range []struct {
		path string
		want Explained
	}{
		{"gone", Explained{Path: "gone", Deleted: true, Origin: at(1, 1, LayerPlatform), Overrode: []Candidate{
			{Path: "gone.y", Value: 3.0, Origin: at(2, 3, LayerFleet)},
			{Path: "gone.x", Value: 1.0, Origin: at(1, 8, LayerDefaults)}, {Path: "gone.y", Value: 2.0, Origin: at(1, 14, LayerDefaults)},
		}}},
		{"gone.y", Explained{Path: "gone", Deleted: true, Origin: at(1, 1, LayerPlatform), Overrode: []Candidate{
			{Path: "gone.y", Value: 3.0, Origin: at(2, 3, LayerFleet)},
			{Path: "gone.x", Value: 1.0, Origin: at(1, 8, LayerDefaults)}, {Path: "gone.y", Value: 2.0, Origin: at(1, 14, LayerDefaults)},
		}}},
		{"number.x", Explained{Path: "number.x", Value: 2.0, Origin: at(3, 10, LayerFleet), Overrode: []Candidate{
			{Path: "number", Value: 1.0, Origin: at(2, 1, LayerDefaults)},
		}}},
		{"map", Explained{Path: "map", Value: 5.0, Origin: at(2, 1, LayerPlatform), Overrode: []Candidate{
			{Path: "map.x", Value: 2.0, Origin: at(5, 3, LayerFleet)}, {Path: "map.x", Value: 1.0, Origin: at(3, 7, LayerDefaults)},
		}}},
		{`node.a\.b/c`, Explained{Path: `node.a\.b/c`, Value: 2.0, Origin: at(6, 8, LayerFleet), Overrode: []Candidate{
			{Value: 1.0, Origin: at(5, 8, LayerDefaults)},
		}}},
	} {
		if diff := cmp.Diff([]Explained{test.want}, Explain(v, test.path)); diff != "" {
			t.Errorf("%s: %s", test.path, diff)
		}
	}
	if got := Explain(v, "nothing.here"); got != nil {
		t.Errorf("nothing is explained as %v", got)
	}
}

func TestPathsMayHaveDotsInKeys(t *testing.T) {
	for _, steps := range [][]string{{"a"}, {"a", "b"}, {"a.b", "c"}, {`a\`, "b."}, {"nvidia.com/gpu"}} {
		if diff := cmp.Diff(steps, SplitPath(JoinPath(steps...))); diff != "" {
			t.Error(diff)
		}
	}
}

// A sub-chart sees its parent's globals above its own, as under Helm.
func TestSubchartsSeeTheirParentsGlobals(t *testing.T) {
	sub := values(t, LayerDefaults, "global: {registry: '', own: sub}\n")
	sub.Subchart = true
	defaults := values(t, LayerDefaults, "global: {registry: ''}\n").Put(sub, "sub")
	v := passGlobal(Effective(defaults, values(t, LayerFleet, "global: {registry: mirror}\n")))
	want := map[string]any{"registry": "mirror", "own": "sub"}
	if diff := cmp.Diff(want, v.At("sub", "global").Plain()); diff != "" {
		t.Error(diff)
	}
	if got := Explain(v, "sub.global.registry")[0].Origin.Layer; got != LayerFleet {
		t.Errorf("set by %s", got)
	}
}
