package fleet

import "strings"

// Explained is one leaf of effective values with its history.
type Explained struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`
	Origin Origin `json:"origin"`
	// Overrode lists what the value replaced, nearest first.
	Overrode []Candidate `json:"overrode,omitempty"`
}

// Explain lists the leaves under a dotted path ("" for all), in order, each
// with the place that set it and what it overrode.
func Explain(v *Value, path string) []Explained {
	var steps []string
	if path != "" {
		steps = strings.Split(path, ".")
	}
	return explain(v.At(steps...), path)
}

func explain(v *Value, path string) []Explained {
	if v == nil {
		return nil
	}
	if v.Kind != Map || len(v.Fields) == 0 {
		return []Explained{{Path: path, Value: v.Plain(), Origin: v.Origin, Overrode: v.Overrode}}
	}
	var out []Explained
	for _, key := range v.Keys() {
		below := key
		if path != "" {
			below = path + "." + key
		}
		out = append(out, explain(v.Fields[key], below)...)
	}
	return out
}
