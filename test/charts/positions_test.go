package charts

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A position is a place of a chart's values where a text may stand.
type position struct {
	// path has names of keys, "[]" for an item of a list and "{}" for the key of a
	// mapping with free keys.
	path []string
	// key: the text is the free key that ends the path.
	key bool
	// node is what the schema says of the text.
	node map[string]any
	// ordinary is a text that the schema takes, and that stands nowhere else.
	ordinary string
}

func (p position) String() string {
	text := strings.ReplaceAll(strings.Join(p.path, "."), ".[]", "[]")
	if p.key {
		text += " (the key)"
	}
	return text
}

// isNamedIn tells whether an error names the key, or the one above it, for which
// a chart may have a reason.
func (p position) isNamedIn(err string) bool {
	named := slices.DeleteFunc(slices.Clone(p.path), func(name string) bool { return name == "[]" || name == "{}" })
	return slices.ContainsFunc(named[max(0, len(named)-2):], func(name string) bool { return strings.Contains(err, name) })
}

// valuesSchema is that of a chart's values.
type valuesSchema struct{ root map[string]any }

func readSchema(t *testing.T, file string) valuesSchema {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(readFile(t, file)), &root); err != nil {
		t.Fatal(err)
	}
	return valuesSchema{root}
}

// resolved follows references; what stands beside one goes first.
func (s valuesSchema) resolved(node map[string]any) map[string]any {
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	at := any(s.root)
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		at = at.(map[string]any)[name]
	}
	merged := maps.Clone(s.resolved(at.(map[string]any)))
	maps.Copy(merged, node)
	delete(merged, "$ref")
	return merged
}

// positions walks the schema, through mappings with free keys and lists.
func (s valuesSchema) positions() []position {
	found := s.below(s.root, nil)
	for i := range found {
		found[i].ordinary, _ = s.sample(found[i].node, 1000+i).(string)
	}
	return found
}

func (s valuesSchema) below(node map[string]any, path []string) (found []position) {
	node = s.resolved(node)
	at := func(name string, child any) {
		if child, ok := child.(map[string]any); ok {
			found = append(found, s.below(child, append(slices.Clone(path), name))...)
		}
	}
	properties, _ := node["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at(name, properties[name])
	}
	if pattern, value := freeKeys(node); value != nil {
		at("{}", value)
		found = append(found, position{path: append(slices.Clone(path), "{}"), key: true, node: map[string]any{"type": "string", "pattern": pattern}})
	}
	at("[]", node["items"])
	for _, branch := range []string{"then", "else"} {
		if child, ok := node[branch].(map[string]any); ok && (child["$ref"] != nil || child["type"] != nil) {
			found = append(found, s.below(child, path)...)
		}
	}
	if takesText(node) {
		found = append(found, position{path: path, node: node})
	}
	return found
}

// freeKeys are the pattern of the keys that people choose, and what they hold.
func freeKeys(node map[string]any) (pattern string, value map[string]any) {
	patterns, _ := node["patternProperties"].(map[string]any)
	for pattern, value := range patterns {
		return pattern, value.(map[string]any)
	}
	value, _ = node["additionalProperties"].(map[string]any)
	return "", value
}

func takesText(node map[string]any) bool {
	switch kind := node["type"].(type) {
	case string:
		return kind == "string"
	case []any:
		return slices.Contains(kind, any("string"))
	}
	return node["pattern"] != nil
}

// build makes values with a text at a position, and with what the schema
// requires beside it.
func (s valuesSchema) build(p position, text string) map[string]any {
	return s.around(s.root, p, 0, text).(map[string]any)
}

func (s valuesSchema) around(node map[string]any, p position, depth int, text string) any {
	node = s.resolved(node)
	if depth == len(p.path) {
		return text
	}
	name := p.path[depth]
	if name == "[]" {
		return []any{s.around(node["items"].(map[string]any), p, depth+1, text)}
	}
	if branch, ok := node["else"].(map[string]any); ok && node["properties"] == nil {
		node = s.resolved(branch)
	}
	values := s.required(node)
	switch name {
	case "{}":
		pattern, value := freeKeys(node)
		if p.key {
			values[text] = s.sample(s.resolved(value), beside)
			break
		}
		key := s.sample(map[string]any{"type": "string", "pattern": pattern}, beside).(string)
		values[key] = s.around(value, p, depth+1, text)
	default:
		values[name] = s.around(node["properties"].(map[string]any)[name].(map[string]any), p, depth+1, text)
	}
	return values
}

func (s valuesSchema) required(node map[string]any) map[string]any {
	values := map[string]any{}
	names, _ := node["required"].([]any)
	properties, _ := node["properties"].(map[string]any)
	for _, name := range names {
		if child, ok := properties[name.(string)].(map[string]any); ok {
			values[name.(string)] = s.sample(s.resolved(child), beside)
		}
	}
	return values
}

// forms are texts of every form that schemas ask for, around a number in digits
// or in letters.
var forms = []string{
	"t{n}t", "./t{n}t", "/t{n}t", "T_{N}_T", "http://t{n}t", "nats://t{n}t:4222", "t{n}t:4222", "sha256:" + strings.Repeat("0", 60) + "{n}",
	"{n}m", "{n}Mi", "{n}%", ":{n}", "example.com/t{n}t",
}

// beside is the number of what stands beside a text.
const beside = 8888

// sample is a value that a node takes; one that is a text holds a number.
func (s valuesSchema) sample(node map[string]any, n int) any {
	if constant, ok := node["const"]; ok {
		return constant
	}
	if choices, ok := node["enum"].([]any); ok {
		return choices[0]
	}
	if takesText(node) {
		for _, form := range forms {
			text := strings.NewReplacer("{n}", fmt.Sprint(n), "{N}", letters(n)).Replace(form)
			if fits(node, text) {
				return text
			}
		}
	}
	switch kind := node["type"]; {
	case kind == "object" || node["properties"] != nil:
		return s.required(node)
	case kind == "array":
		return []any{s.sample(s.resolved(node["items"].(map[string]any)), n)}
	case kind == "boolean":
		return true
	}
	return 1
}

// letters writes a number in letters.
func letters(n int) string {
	return strings.NewReplacer("0", "A", "1", "B", "2", "C", "3", "D", "4", "E", "5", "F", "6", "G", "7", "H", "8", "I", "9", "J").Replace(fmt.Sprint(n))
}

// fits tells whether a text is one that a node takes.
func fits(node map[string]any, text string) bool {
	if pattern, ok := node["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(text) {
		return false
	}
	least, _ := node["minLength"].(float64)
	most, limited := node["maxLength"].(float64)
	return len(text) >= int(least) && (!limited || len(text) <= int(most))
}
