package mutation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place is where a value stands in a document: keys, and indexes of lists.
type place []any

func (p place) String() string {
	var out strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&out, "[%d]", step)
		case string:
			out.WriteString("." + step)
		}
	}
	return strings.TrimPrefix(out.String(), ".")
}

// key is the last key on the way; items of a list have the list's.
func (p place) key() string {
	for _, step := range slices.Backward(p) {
		if name, ok := step.(string); ok {
			return name
		}
	}
	return ""
}

func (p place) parent() place { return p[: len(p)-1 : len(p)-1] }

// steps are those of a pattern: an index is any index.
func (p place) steps() []string {
	out := make([]string, len(p))
	for i, step := range p {
		out[i] = "*"
		if name, ok := step.(string); ok {
			out[i] = name
		}
	}
	return out
}

// matches reports whether a pattern fits the place exactly; * stands for one
// step, ** for any number.
func (p place) matches(pattern string) bool { return fits(strings.Split(pattern, "."), p.steps()) }

func fits(pattern, steps []string) bool {
	switch {
	case len(pattern) == 0:
		return len(steps) == 0
	case pattern[0] == "**":
		return fits(pattern[1:], steps) || len(steps) > 0 && fits(pattern, steps[1:])
	default:
		return len(steps) > 0 && (pattern[0] == "*" || pattern[0] == steps[0]) && fits(pattern[1:], steps[1:])
	}
}

// places lists all places below a value, in a fixed order.
func places(value any, at place) []place {
	var out []place
	visit := func(step, below any) {
		next := append(slices.Clone(at), step)
		out = append(out, next)
		out = append(out, places(below, next)...)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			visit(name, value[name])
		}
	case []any:
		for i, item := range value {
			visit(i, item)
		}
	}
	return out
}

// get returns what stands at a place; nil if nothing does.
func get(value any, at place) any {
	for _, step := range at {
		switch step := step.(type) {
		case string:
			fields, _ := value.(map[string]any)
			value = fields[step]
		case int:
			value = value.([]any)[step]
		}
	}
	return value
}

// put replaces what stands at a place.
func put(root map[string]any, at place, value any) {
	switch step := at[len(at)-1].(type) {
	case string:
		get(root, at.parent()).(map[string]any)[step] = value
	case int:
		get(root, at.parent()).([]any)[step] = value
	}
}

// remove takes a key out of its mapping.
func remove(root map[string]any, at place) {
	delete(get(root, at.parent()).(map[string]any), at[len(at)-1].(string))
}

func isMapping(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

func copied(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, below := range value {
			out[name] = copied(below)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, below := range value {
			out[i] = copied(below)
		}
		return out
	default:
		return value
	}
}

// free reports whether people invent the keys of the mapping at a place.
func (d document) freeAt(mapping place) bool {
	return slices.ContainsFunc(d.free, func(pattern string) bool { return mapping.matches(pattern) })
}

// ours reports whether the key at a place is one of our charts' or the fleet
// file's. Of a third-party chart's section only `enabled` is.
func (d document) ours(at place) bool {
	for _, pattern := range d.foreign {
		section := len(strings.Split(pattern, "."))
		if len(at) <= section || !at[:section].matches(pattern) {
			continue
		}
		return len(at) == section+1 && at.key() == "enabled"
	}
	return true
}
