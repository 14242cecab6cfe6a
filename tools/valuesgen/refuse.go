package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// refusalOf turns `unless SCHEMA because REASON`, or `when` for `unless`, into
// a condition on the whole of the values. A validator prints the name of a
// property that is missing, so the reason is made the name of one.
func refusalOf(path []string, argument string) (object, error) {
	word, rest, _ := strings.Cut(argument, " ")
	condition, reason, found := strings.Cut(rest, " because ")
	if !found || word != "unless" && word != "when" {
		return nil, errors.New("write: @refuse unless SCHEMA because REASON, or @refuse when SCHEMA because REASON")
	}
	var schema object
	if err := yaml.Unmarshal([]byte(condition), &schema); err != nil {
		return nil, fmt.Errorf("%q is no schema: %w", condition, err)
	}
	for _, name := range slices.Backward(path) {
		schema = object{"properties": object{name: schema}}
		if word == "when" {
			// Without it the condition would hold for a key that is absent.
			schema["required"] = []any{name}
		}
	}
	refused := object{"required": []any{reason}}
	if word == "when" {
		return object{"if": schema, "then": refused}, nil
	}
	return object{"if": schema, "else": refused}, nil
}

// addRemoved lets a mapping refuse a key that was removed, `KEY because
// REASON`, with its reason besides as unknown.
func addRemoved(schema object, argument string) error {
	name, reason, found := strings.Cut(argument, " because ")
	if !found || schema["properties"] == nil {
		return errors.New("write at the mapping that had the key: @removed KEY because REASON")
	}
	addDependent(schema, name, reason)
	return nil
}

// addDependent makes the presence of a property need one named by a reason.
func addDependent(schema object, name, reason string) {
	merge(schema, object{"dependentRequired": object{name: []any{reason}}})
}

// hint tells where keys of a sub-chart belong that are found at the top: that
// is where people put them who know the sub-chart alone.
type hint struct {
	subchart string
	keys     []string
}

func hintAt(k *key) hint {
	h := hint{subchart: strings.Join(k.path, ".")}
	for _, child := range k.subchart.children {
		h.keys = append(h.keys, child.path[0])
	}
	return h
}

func (h hint) addTo(schema object) {
	for _, name := range h.keys {
		if schema["properties"].(object)[name] == nil {
			addDependent(schema, name, fmt.Sprintf("%s.%s in its place: the key belongs to %[1]s", h.subchart, name))
		}
	}
}

// alias is another name of a key.
type alias struct{ of, path []string }

// addTo makes the schema accept the other name for the same values.
func (a alias) addTo(schema object) error {
	at := schema
	for _, name := range a.path[:len(a.path)-1] {
		properties, ok := at["properties"].(object)
		if !ok {
			return fmt.Errorf("@alias %s: there are no fixed keys at %s", strings.Join(a.path, "."), name)
		}
		if properties[name] == nil {
			properties[name] = object{"type": "object", "additionalProperties": false, "properties": object{}}
		}
		at = properties[name].(object)
	}
	properties, ok := at["properties"].(object)
	if !ok {
		return fmt.Errorf("@alias %s: its parent has no fixed keys", strings.Join(a.path, "."))
	}
	properties[a.path[len(a.path)-1]] = object{
		"$ref":        "#/properties/" + strings.Join(a.of, "/properties/"),
		"deprecated":  true,
		"description": "Another name of " + strings.Join(a.of, ".") + ".",
	}
	return nil
}
