package chart

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Varying is an object that a chart renders with other content each time.
type Varying struct {
	Object Object
	// Fields are the paths that differ, the shortest that say it; empty if the
	// object has another name each time.
	Fields []string
}

func (v Varying) String() string {
	if len(v.Fields) == 0 {
		return v.Object.String()
	}
	return v.Object.String() + " (" + strings.Join(v.Fields, ", ") + ")"
}

// varying compares two renderings of the same.
func varying(first, second *Rendered) ([]Varying, error) {
	others := map[string]Object{}
	for _, o := range slices.Concat(second.Objects, second.Hooks) {
		others[o.Group()+" "+o.String()] = o
	}
	var out []Varying
	for _, o := range slices.Concat(first.Objects, first.Hooks) {
		other, found := others[o.Group()+" "+o.String()]
		if found && other.Content == o.Content {
			continue
		}
		v := Varying{Object: o}
		if found {
			var a, b any
			for text, into := range map[string]*any{o.Content: &a, other.Content: &b} {
				if err := yaml.Unmarshal([]byte(text), into); err != nil {
					return nil, fmt.Errorf("%s: %w", o, err)
				}
			}
			if v.Fields = differences("", a, b); len(v.Fields) == 0 {
				continue // a comment
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// differences lists the paths at which two values are not the same.
func differences(at string, a, b any) (out []string) {
	x, isMap := a.(map[string]any)
	y, both := b.(map[string]any)
	if !isMap || !both {
		if reflect.DeepEqual(a, b) {
			return nil
		}
		return []string{strings.TrimPrefix(at, ".")}
	}
	keys := maps.Clone(x)
	maps.Copy(keys, y)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		out = append(out, differences(at+"."+key, x[key], y[key])...)
	}
	return out
}

// Steady is the text of the objects that are the same each time.
func (r *Rendered) Steady() string {
	if len(r.Varying) == 0 {
		return r.Manifest
	}
	var text strings.Builder
	for _, o := range r.Objects {
		if !slices.ContainsFunc(r.Varying, func(v Varying) bool { return v.Object.String() == o.String() }) {
			writeObject(&text, o.Template, o.Content)
		}
	}
	return text.String()
}
