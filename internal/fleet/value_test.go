package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

func values(t *testing.T, layer Layer, text string) *Value {
	t.Helper()
	v, err := ParseValues("test.yaml", layer, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMergeFollowsHelmUsersExpectations(t *testing.T) {
	for _, test := range []struct{ name, weak, strong, want string }{
		{"maps merge", "a: {x: 1}", "a: {y: 2}", "a: {x: 1, y: 2}"},
		{"scalars replace", "a: 1", "a: 2", "a: 2"},
		{"lists replace", "a: [1, 2]", "a: [3]", "a: [3]"},
		{"a map replaces a scalar", "a: 1", "a: {x: 1}", "a: {x: 1}"},
		{"a scalar replaces a map", "a: {x: 1}", "a: 1", "a: 1"},
		{"null stays to delete a default", "a: 1", "a: null", "a: null"},
		{"a later value revives a null", "a: null", "a: 1", "a: 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Merge(values(t, LayerFleet, test.weak), values(t, LayerPlatform, test.strong)).Plain()
			if diff := cmp.Diff(values(t, LayerFleet, test.want).Plain(), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// randomTree builds a map in which k0 and k1 are maps. Nulls and maps elsewhere
// come only if wild, because what turns a map into something else makes merging
// depend on grouping, as it does in Helm.
func randomTree(r *rand.Rand, depth int, wild bool, layer Layer) *Value {
	out := NewMap(Origin{Layer: layer})
	for range r.IntN(5) {
		k := r.IntN(4)
		key := fmt.Sprintf("k%d", k)
		switch n := r.IntN(6); {
		case k < 2 && !wild, wild && n < 2 && depth > 0:
			out.Fields[key] = NewMap(Origin{Layer: layer})
			if depth > 0 {
				out.Fields[key] = randomTree(r, depth-1, wild, layer)
			}
		case n == 2:
			out.Fields[key] = &Value{Kind: List, Origin: Origin{Layer: layer}, Items: []*Value{NewScalar(float64(r.IntN(9)), Origin{})}}
		case n == 3 && wild:
			out.Fields[key] = NewScalar(nil, Origin{Layer: layer})
		default:
			out.Fields[key] = NewScalar(float64(r.IntN(9)), Origin{Layer: layer})
		}
	}
	return out
}

func TestMergeIsAssociativeAndIdempotent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b, c := randomTree(r, 3, false, LayerProfile), randomTree(r, 3, false, LayerFleet), randomTree(r, 3, false, LayerPlatform)
		if diff := cmp.Diff(Merge(Merge(a, b), c).Plain(), Merge(a, Merge(b, c)).Plain()); diff != "" {
			t.Fatalf("not associative:\n%s", diff)
		}
		if diff := cmp.Diff(a.Plain(), Merge(a, a).Plain()); diff != "" {
			t.Fatalf("not idempotent:\n%s", diff)
		}
		if diff := cmp.Diff(a.Plain(), Merge(Merge(nil, a), nil).Plain()); diff != "" {
			t.Fatalf("nothing is not neutral:\n%s", diff)
		}
	}
}

// What we print as effective values must be what Helm's templates see.
func TestEffectiveIsWhatHelmComputes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		defaults, overrides := randomTree(r, 3, false, LayerDefaults), randomTree(r, 3, true, LayerFleet)
		want, err := util.CoalesceValues(&helmchart.Chart{
			Metadata: &helmchart.Metadata{Name: "c"}, Values: defaults.PlainMap(),
		}, overrides.PlainMap())
		if err != nil {
			t.Fatal(err)
		}
		got := Effective(defaults, overrides).PlainMap()
		if diff := cmp.Diff(map[string]any(want), got); diff != "" {
			t.Fatalf("defaults %v\noverrides %v\n%s", defaults.Plain(), overrides.Plain(), diff)
		}
	}
}

func TestMergeRemembersWhatLost(t *testing.T) {
	v := MergeAll(
		values(t, LayerDefaults, "a: {b: 1}"),
		values(t, LayerProfile, "a:\n  b: 2"),
		values(t, LayerPlatform, "a:\n\n  b: 3"),
	).At("a", "b")
	if v.Leaf != 3.0 || v.Origin.Line != 3 || v.Origin.Layer != LayerPlatform {
		t.Errorf("winner: %v at %+v", v.Leaf, v.Origin)
	}
	want := []Candidate{
		{Value: 2.0, Origin: Origin{File: "test.yaml", Line: 2, Column: 3, Layer: LayerProfile}},
		{Value: 1.0, Origin: Origin{File: "test.yaml", Line: 1, Column: 5, Layer: LayerDefaults}},
	}
	if diff := cmp.Diff(want, v.Overrode); diff != "" {
		t.Error(diff)
	}
}

// Users' values files must mean to us what they mean to `helm -f`.
func TestScalarsMeanWhatTheyMeanToHelm(t *testing.T) {
	for _, text := range []string{
		"1", "1.5", "0x10", "1e3", "-7", "15728640", "true", "yes", "on", "No", "off", "y", "null", "~", "",
		"text", `"yes"`, "'1'", "1.2.3", "10Gi", "2024-01-02", "|\n  a\n  b\n", ">-\n  a\n  b\n", "v1", "0o7", "1_000",
	} {
		var want map[string]any
		document := "a: " + text
		if err := yaml.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, values(t, LayerFleet, document).Plain()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	v := values(t, LayerFleet, "base: &b {x: 1, y: 1}\nmore: &m {z: 9, y: 9}\nuse:\n  <<: [*b, *m]\n  x: 2\n")
	want := map[string]any{"x": 2.0, "y": 1.0, "z": 9.0}
	if diff := cmp.Diff(want, v.At("use").Plain()); diff != "" {
		t.Error(diff)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		text += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n",
			i+1, i+1, i, i, i, i, i, i, i, i, i, i)
	}
	if _, err := ParseValues("bomb.yaml", LayerFleet, []byte(text)); err == nil {
		t.Error("expected an error")
	}
}
