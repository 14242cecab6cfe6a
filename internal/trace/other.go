package trace

import (
	"encoding/json"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// mark is put into texts, and markNumber for numbers, to be found again in what
// is rendered.
const (
	mark       = "traced"
	markNumber = 4711.0
)

// others lists contents that a value could have instead, likely ones first:
// what the schema offers, then others of its type.
func others(s Subject, path []string, plain any) []any {
	var out []any
	for _, option := range options(s.Source, path) {
		if !same(option, plain) {
			out = append(out, option)
		}
	}
	switch v := plain.(type) {
	case bool:
		return append(out, !v)
	case float64:
		return append(out, v+1, markNumber, 2*v+1, 0.0)
	case string:
		return append(out, otherTexts(v)...)
	case []any:
		if len(v) == 0 {
			return append(out, []any{mark}, []any{map[string]any{"name": mark}}, []any{map[string]any{"key": mark, "operator": "Exists"}})
		}
		return append(out, changed(v), append(v[:len(v):len(v)], v...), []any{})
	case map[string]any:
		return append(out, map[string]any{mark: mark}, map[string]any{mark: map[string]any{mark: mark}})
	default:
		return append(out, mark, true, 7.0, map[string]any{mark: mark}, []any{mark})
	}
}

func otherTexts(text string) []any {
	if text == "" {
		return []any{mark, "1", "true"}
	}
	out := []any{text + mark, mark}
	if n := strings.IndexAny(text, "123456789"); n >= 0 {
		// 30s becomes 40s: still a duration, a quantity, a port.
		out = append(out, text[:n]+string('1'+(text[n]-'0')%9)+text[n+1:])
	}
	return append(out, "")
}

// baits are contents of the wrong type. Whatever looks at the value fails on
// them or shows them.
func baits(plain any) []any {
	return []any{mark, "", map[string]any{mark: mark}, []any{mark}, 7.0, true, false, []any{map[string]any{"name": mark}}, changed(plain)}
}

// changed is a copy in which every leaf is another.
func changed(plain any) any {
	switch v := plain.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = changed(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, field := range v {
			out[key] = changed(field)
		}
		return out
	case bool:
		return !v
	case float64:
		return v + 1
	case string:
		return v + mark
	default:
		return mark
	}
}

// options lists what the schemas of a chart name as possible contents of a
// path: enumerations, and both truth values where one may stand.
func options(c *chart.Chart, path []string) []any {
	var out []any
	for _, schema := range c.Schemas() {
		if len(schema.Path) > len(path) || fleet.JoinPath(schema.Path...) != fleet.JoinPath(path[:len(schema.Path)]...) {
			continue
		}
		var root map[string]any
		if err := json.Unmarshal(schema.JSON, &root); err != nil {
			continue
		}
		out = append(out, offered(root, root, path[len(schema.Path):], 0)...)
	}
	return out
}

// offered walks a schema. Nesting is bounded, because schemas may refer to
// themselves.
func offered(root, at map[string]any, path []string, depth int) []any {
	if depth > 40 {
		return nil
	}
	var out []any
	if ref, ok := at["$ref"].(string); ok {
		if target := resolve(root, ref); target != nil {
			out = append(out, offered(root, target, path, depth+1)...)
		}
	}
	for _, word := range []string{"anyOf", "oneOf", "allOf"} {
		branches, _ := at[word].([]any)
		for _, branch := range branches {
			if b, ok := branch.(map[string]any); ok {
				out = append(out, offered(root, b, path, depth+1)...)
			}
		}
	}
	if len(path) > 0 {
		properties, _ := at["properties"].(map[string]any)
		if next, ok := properties[path[0]].(map[string]any); ok {
			out = append(out, offered(root, next, path[1:], depth+1)...)
		}
		return out
	}
	if enum, ok := at["enum"].([]any); ok {
		out = append(out, enum...)
	}
	if constant, ok := at["const"]; ok {
		out = append(out, constant)
	}
	if mayBe(at["type"], "boolean") {
		out = append(out, true, false)
	}
	return out
}

func resolve(root map[string]any, ref string) map[string]any {
	pointer, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	at := root
	for step := range strings.SplitSeq(pointer, "/") {
		next, ok := at[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(map[string]any)
		if !ok {
			return nil
		}
		at = next
	}
	return at
}

func mayBe(types any, wanted string) bool {
	switch t := types.(type) {
	case string:
		return t == wanted
	case []any:
		for _, one := range t {
			if one == wanted {
				return true
			}
		}
	}
	return false
}
