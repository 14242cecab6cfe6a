package fleet

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func FuzzParse(f *testing.F) {
	f.Add(head + "spec: {platforms: [{namespace: a}]}")
	f.Add(head + "spec:\n  profiles: [x.yaml]\n  values: [{platform: {a: 1}}]\n  platformsFrom: t/*.yaml\n")
	f.Add("a: &a [*a]")
	f.Add("spec:\n  <<: {platforms: 1}")
	f.Fuzz(func(t *testing.T, text string) {
		fleet, err := Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		if _, err := Resolve(fleet, Input{Files: memory{}, Profiles: fstest.MapFS{}}); err == nil && len(fleet.Platforms) > 0 && fleet.Name == "" {
			t.Error("a fleet without a name was accepted")
		}
	})
}

// breaks are the line breaks of YAML 1.1.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// Whatever the text: no panic, every value is on the line that it says, and
// every leaf is explained.
func FuzzParseValues(f *testing.F) {
	for _, seed := range []string{
		"a: 1", "a: {b: [1, {c: null}]}", "---\na: 1\n---\nb: 2", "a: &x 1\nb: *x", "? [a]\n: b",
		"# c\na:\n\n  b: |\n    text\n  c: x\n", "base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n", "\ufeffa: 1\r\nb: 2\r\n", "\r\r0:",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseValues("v.yaml", LayerFleet, []byte(text))
		if err != nil {
			return
		}
		if diff := cmp.Diff(v.Plain(), Merge(v, v).Plain()); diff != "" {
			t.Error(diff)
		}
		lines := strings.Split(breaks.Replace(text), "\n")
		for _, leaf := range Explain(v, "") {
			if leaf.Path != "" && (leaf.Origin.Line < 1 || leaf.Origin.Line > len(lines)+1) {
				t.Errorf("%q is at line %d of %d", leaf.Path, leaf.Origin.Line, len(lines))
			}
		}
		keysAreWhereTheySay(t, v, lines, "")
	})
}

// keysAreWhereTheySay looks for each plain key at its line and column.
func keysAreWhereTheySay(t *testing.T, v *Value, lines []string, path string) {
	t.Helper()
	for _, key := range v.Keys() {
		field := v.Fields[key]
		keysAreWhereTheySay(t, field, lines, under(path, key))
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz") != "" || key == "" || strings.ContainsAny(strings.Join(lines, ""), "\\\ufeff") {
			continue // written with escapes, or behind a byte order mark
		}
		line := []rune(lines[field.Origin.Line-1])
		rest := string(line[min(field.Origin.Column-1, len(line)):])
		if !strings.Contains(rest, key) {
			t.Errorf("%s is not at line %d, column %d: %q", under(path, key), field.Origin.Line, field.Origin.Column, line)
		}
	}
}

// Layers grouped otherwise give the same values, unless one of them turns a
// map into something else; nulls delete, and no merge panics.
func FuzzMerge(f *testing.F) {
	f.Add("a: {b: 1}", "a: {b: null, c: 2}", "a: {c: [1]}")
	f.Add("a: 1", "a: {b: 1}", "a: null")
	f.Fuzz(func(t *testing.T, first, second, third string) {
		var layers []*Value
		for _, text := range []string{first, second, third} {
			v, err := ParseValues("v.yaml", LayerFleet, []byte(text))
			if err != nil {
				return
			}
			layers = append(layers, v)
		}
		effective := Effective(layers[0], Merge(layers[1], layers[2]))
		for _, leaf := range Explain(effective, "") {
			if leaf.Origin == (Origin{}) {
				t.Errorf("%q has no origin", leaf.Path)
			}
		}
		for _, key := range layers[2].Keys() {
			if lower := layers[0].Field(key); lower != nil && layers[2].Fields[key].IsNull() && effective.Field(key) != nil {
				t.Errorf("%q was not deleted", key)
			}
		}
		if !sameShape(layers[0], layers[1]) || !sameShape(layers[0], layers[2]) || !sameShape(layers[1], layers[2]) {
			return
		}
		left, right := Merge(Merge(layers[0], layers[1]), layers[2]), Merge(layers[0], Merge(layers[1], layers[2]))
		if diff := cmp.Diff(left.Plain(), right.Plain()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(Explain(left, ""), Explain(right, "")); diff != "" {
			t.Error(diff)
		}
	})
}

// sameShape reports whether two trees agree on what is a map.
func sameShape(a, b *Value) bool {
	if a == nil || b == nil {
		return true
	}
	if a.Kind != Map || b.Kind != Map {
		return a.Kind != Map && b.Kind != Map
	}
	for key, field := range a.Fields {
		if !sameShape(field, b.Fields[key]) {
			return false
		}
	}
	return true
}
