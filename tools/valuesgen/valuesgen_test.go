package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// kubernetesTypes loads them once.
var kubernetesTypes = sync.OnceValues(func() (*types, error) { return loadTypes("../..") })

func loadedTypes(t *testing.T) *types {
	t.Helper()
	loaded, err := kubernetesTypes()
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func generated(t *testing.T, values string) (object, error) {
	t.Helper()
	parsed, err := parseValues([]byte(values))
	if err != nil {
		return nil, err
	}
	return schemaOf(parsed, loadedTypes(t))
}

// TestWhatACommentSaysGetsIntoTheSchema compares one part of the schema.
func TestWhatACommentSaysGetsIntoTheSchema(t *testing.T) {
	for name, test := range map[string]struct{ values, at, want string }{
		"default alone":  {"a: 1", "properties", `{"a": {"type": "integer"}}`},
		"strict mapping": {"a:\n  b: true", "properties", `{"a": {"type": "object", "additionalProperties": false, "properties": {"b": {"type": "boolean"}}}}`},
		"prose":          {"# Says\n# this.\na: 1", "properties", `{"a": {"type": "integer", "description": "Says this."}}`},
		"constraint":     {"# Few. @schema {maximum: 3}\na: 1", "properties", `{"a": {"type": "integer", "maximum": 3, "description": "Few."}}`},
		"on the line":    {"a: 1 # Few. @schema {maximum: 3}", "properties", `{"a": {"type": "integer", "maximum": 3, "description": "Few."}}`},
		"over two lines": {"# @schema {maximum: 3,\n#   minimum: 1}\na: 1", "properties", `{"a": {"type": "integer", "maximum": 3, "minimum": 1}}`},
		"type":           {"a: 8080 # @schema port", "properties", `{"a": {"$ref": "#/$defs/port"}}`},
		"type's schema":  {"a: 8080 # @schema port", "$defs", `{"port": {"type": "integer", "minimum": 1, "maximum": 65535}}`},
		"type or empty":  {`a: "" # @schema path?`, "properties", `{"a": {"if": {"const": ""}, "else": {"$ref": "#/$defs/path"}}}`},
		"list":           {"a: [] # @schema [port]", "properties", `{"a": {"type": "array", "items": {"$ref": "#/$defs/port"}}}`},
		"open mapping":   {"# @schema {additionalProperties: true}\na:\n  b: 1", "properties", `{"a": {"type": "object", "additionalProperties": true, "properties": {"b": {"type": "integer"}}}}`},
		"refuse unless":  {"a:\n  # @refuse unless {const: x} because a.b=x: else it breaks\n  b: x", "allOf", `[{"if": {"properties": {"a": {"properties": {"b": {"const": "x"}}}}}, "else": {"required": ["a.b=x: else it breaks"]}}]`},
		"refuse when":    {"# @refuse when {const: 0} because a above 0\na: 1", "allOf", `[{"if": {"required": ["a"], "properties": {"a": {"const": 0}}}, "then": {"required": ["a above 0"]}}]`},
		"file as whole":  {"# @refuse when {maxProperties: 0} because any value\n\na: 1", "allOf", `[{"if": {"maxProperties": 0}, "then": {"required": ["any value"]}}]`},
		"removed":        {"# @removed old because old is gone\n\na: 1", "dependentRequired", `{"old": ["old is gone"]}`},
		"alias":          {"# @alias b.c\na: 1", "properties", `{"a": {"type": "integer"}, "b": {"type": "object", "additionalProperties": false, "properties": {"c": {"$ref": "#/properties/a", "deprecated": true, "description": "Another name of a."}}}}`},
	} {
		schema, err := generated(t, test.values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		data, err := json.Marshal(schema[test.at])
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strip(got, "description", test.want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s, want %s", name, data, test.want)
		}
	}
}

// strip removes a keyword that the wanted text does not mention.
func strip(at any, keyword, want string) {
	fields, ok := at.(object)
	if !ok || strings.Contains(want, keyword) {
		return
	}
	delete(fields, keyword)
	for _, below := range fields {
		strip(below, keyword, want)
	}
}

func TestMistakesInAnnotationsAreErrors(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"unknown annotation":    {"a: 1 # @scheme port", "line 1: a: unknown annotation @scheme"},
		"unknown type":          {"a: 1 # @schema prot", `unknown type "prot"`},
		"unknown Kubernetes":    {"a: [] # @schema [core.Tolerations]", "k8s.io/api/core/v1 has no type Tolerations"},
		"list without type":     {"a: []", "line 1: a: a list or null needs @schema"},
		"null without type":     {"a:", "line 1: a: a list or null needs @schema"},
		"empty mapping":         {"a: {}", "line 1: a: an empty mapping needs @schema"},
		"refusal without words": {"a: 1 # @refuse unless {const: 1}", "write: @refuse unless SCHEMA because REASON"},
		"removed from a leaf":   {"a: 1 # @removed b because c", "write at the mapping that had the key"},
		"alias below a leaf":    {"# @alias b.c\na: 1\nb: 2", "its parent has no fixed keys"},
		"not a schema":          {"a: 1 # @schema {maximum: 3", "@schema:"},
	} {
		if _, err := generated(t, test.values); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestKubernetesTypesAreAsStrictAsTheirGoTypes(t *testing.T) {
	schema, err := generated(t, "a: [] # @schema [core.Toleration]\nb: {} # @schema core.Container")
	if err != nil {
		t.Fatal(err)
	}
	defs := schema["$defs"].(object)
	toleration := defs["core.Toleration"].(object)
	if toleration["additionalProperties"] != false {
		t.Error("a toleration is not strict")
	}
	effect := toleration["properties"].(object)["effect"]
	if want := (object{"enum": []any{"", "NoExecute", "NoSchedule", "PreferNoSchedule"}}); !reflect.DeepEqual(effect, want) {
		t.Errorf("effect is %v, want %v", effect, want)
	}
	if got := defs["core.Container"].(object)["required"]; !reflect.DeepEqual(got, []any{"name"}) {
		t.Errorf("a container requires %v, want only its name", got)
	}
	if defs["core.Probe"].(object)["properties"].(object)["httpGet"] == nil {
		t.Error("a probe lacks the fields of the struct that it embeds")
	}
}

// A refinement of a type or field that is gone would silently do nothing.
func TestRefinementsNameTypesAndFieldsThatExist(t *testing.T) {
	loaded := loadedTypes(t)
	for name := range loaded.Kubernetes {
		parts := strings.Split(name, ".")
		schema, err := loaded.find(parts[0] + "." + parts[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if len(parts) == 3 && schema["properties"].(object)[parts[2]] == nil {
			t.Errorf("%s: no such field", name)
		}
	}
}

func TestTheTable(t *testing.T) {
	values, err := parseValues([]byte(`
# Group.
group:
  # One. @alias other
  one: "<x>"
  # As a whole. @schema strings
  map: {a: b}
# Elsewhere. @schema passedOn
sub:
  # Installed.
  enabled: false
  # Both.
  image: {tag: "1"}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := tableOf(values)
	if err != nil {
		t.Fatal(err)
	}
	want := "| key | default | meaning |\n|---|---|---|\n" +
		"| `group.one` | `\"<x>\"` | One. |\n" +
		"| `group.map` | `{\"a\":\"b\"}` | As a whole. |\n" +
		"| `sub.enabled` | `false` | Installed. |\n" +
		"| `sub.image` | `{\"tag\":\"1\"}` | Both. |\n" +
		"\nOther names that are accepted:\n\n| other name | key |\n|---|---|\n| `other` | `group.one` |\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEveryKeyNeedsAWord(t *testing.T) {
	values, err := parseValues([]byte("# Group.\ngroup:\n  silent: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tableOf(values); err == nil || !strings.Contains(err.Error(), "line 3: group.silent: needs a comment") {
		t.Errorf("got %v", err)
	}
}

func TestAReadmeWithoutAPlaceForTheTableIsAnError(t *testing.T) {
	if _, err := replaceTable([]byte("# chart\n"), "x"); err == nil {
		t.Error("no error")
	}
	got, err := replaceTable([]byte("a\n"+tableBegin+"old\n"+tableEnd+"b\n"), "new")
	if want := "a\n" + tableBegin + "\nnew\n" + tableEnd + "b\n"; err != nil || string(got) != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}
