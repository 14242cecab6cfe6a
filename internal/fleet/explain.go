package fleet

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Explained is one leaf of effective values with its history.
type Explained struct {
	Path  string `json:"path"`
	Value any    `json:"value"`
	// Deleted says that a null removed the value; Origin is that null's.
	Deleted bool   `json:"deleted,omitempty"`
	Origin  Origin `json:"origin"`
	// Overrode lists what the value replaced, nearest first.
	Overrode []Candidate `json:"overrode,omitempty"`
	Vouched  bool        `json:"-"`
}

// Explain lists the leaves under a path ("" for all), in order, each with the
// place that set it and what it overrode. A list is one leaf, because lists
// replace each other as a whole; so is a key that a null deleted. Credentials
// and what was encrypted are hidden.
func Explain(v *Value, path string) []Explained {
	root, at := v, ""
	var above []Candidate
	for _, step := range SplitPath(path) {
		if v == nil {
			return nil
		}
		above, at = slices.Concat(lostAt(at, v), above), under(at, step)
		if gone, ok := v.Deleted[step]; ok {
			return masked(root, []Explained{deleted(gone, at, above)})
		}
		v = v.At(step)
	}
	return masked(root, explain(v, at, above))
}

// masked hides credentials in the explanations of a tree's leaves.
func masked(root *Value, leaves []Explained) []Explained {
	shown := root.Shown()
	for i := range leaves {
		leaf := &leaves[i]
		if !leaf.Deleted {
			leaf.Value = below(shown, SplitPath(leaf.Path))
		}
		for j := range leaf.Overrode {
			lost := &leaf.Overrode[j]
			if !lost.Vouched {
				path := SplitPath(cmp.Or(lost.Path, leaf.Path))
				lost.Value = Mask(path, lost.Value, func([]string, string, any) any { return Hidden })
			}
		}
	}
	return leaves
}

// below is Value.At for a plain tree.
func below(plain any, path []string) any {
	for _, step := range path {
		switch v := plain.(type) {
		case map[string]any:
			plain = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			plain = v[i]
		}
	}
	return plain
}

// explain walks a tree; above lists what the maps on the way replaced.
func explain(v *Value, path string, above []Candidate) []Explained {
	if v == nil {
		return nil
	}
	var out []Explained
	if v.Kind != Map || len(v.Fields) == 0 {
		out = append(out, Explained{Path: path, Value: v.open(), Origin: v.Origin, Overrode: slices.Concat(lostBy(path, v), above), Vouched: v.vouched()})
	} else {
		above = slices.Concat(lostAt(path, v), above)
	}
	for _, key := range slices.Sorted(maps.Keys(v.Fields)) {
		out = append(out, explain(v.Fields[key], under(path, key), above)...)
	}
	for _, key := range slices.Sorted(maps.Keys(v.Deleted)) {
		out = append(out, deleted(v.Deleted[key], under(path, key), above))
	}
	return out
}

func deleted(null *Value, path string, above []Candidate) Explained {
	return Explained{Path: path, Deleted: true, Origin: null.Origin, Overrode: slices.Concat(lostBy(path, null), above)}
}

// lostAt lists what a node replaced, each with its whole path.
func lostAt(path string, v *Value) []Candidate {
	out := slices.Clone(v.Overrode)
	for i := range out {
		out[i].Path = path + suffix(path, out[i].Path)
	}
	return out
}

// lostBy is lostAt for the leaf at the path: only other paths are named.
func lostBy(path string, v *Value) []Candidate {
	out := lostAt(path, v)
	for i := range out {
		if out[i].Path == path {
			out[i].Path = ""
		}
	}
	return out
}

func suffix(path, below string) string {
	if path == "" || below == "" {
		return below
	}
	return "." + below
}

// SplitPath splits a path of values at its dots. A dot within a key is written
// as in --set: "nodeSelector.nvidia\\.com/gpu".
func SplitPath(path string) []string {
	var steps []string
	var step strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			step.WriteByte(path[i])
		case path[i] == '.':
			steps = append(steps, step.String())
			step.Reset()
		default:
			step.WriteByte(path[i])
		}
	}
	if path == "" {
		return nil
	}
	return append(steps, step.String())
}

// JoinPath is the reverse of SplitPath.
func JoinPath(steps ...string) string {
	path := ""
	for _, step := range steps {
		path = under(path, step)
	}
	return path
}

var escaper = strings.NewReplacer(`\`, `\\`, ".", `\.`)

func under(path, key string) string {
	if path == "" {
		return escaper.Replace(key)
	}
	return path + "." + escaper.Replace(key)
}
