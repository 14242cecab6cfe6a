package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// object is a JSON object: a schema or a part of one.
type object = map[string]any

//go:embed types.yaml
var typesFile []byte

// types are the named schemas that annotations refer to.
type types struct {
	// Types are our own, by name.
	Types map[string]object `yaml:"types"`
	// Kubernetes adds to the schemas of Kubernetes types what their Go types
	// do not say, by TYPE and TYPE.FIELD.
	Kubernetes map[string]object `yaml:"kubernetes"`
	kubernetes *kubernetes
}

func loadTypes(root string) (*types, error) {
	t := &types{}
	if err := yaml.Unmarshal(typesFile, t); err != nil {
		return nil, fmt.Errorf("types.yaml: %w", err)
	}
	var err error
	t.kubernetes, err = loadKubernetes(root)
	return t, err
}

// find returns the schema of a named type.
func (t *types) find(name string) (object, error) {
	if own, ok := t.Types[name]; ok {
		return own, nil
	}
	schema, ok, err := t.kubernetes.find(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("unknown type %q: use one of types.yaml, or a Kubernetes type such as core.Toleration", name)
	}
	merge(schema, t.Kubernetes[name])
	for field, property := range schema["properties"].(object) {
		merge(property.(object), t.Kubernetes[name+"."+field])
	}
	return schema, nil
}

// bundle makes a schema self-contained: names of types in $ref become
// references to $defs, which get those types and what they refer to.
func (t *types) bundle(schema object) error {
	defs := object{}
	nameTexts(schema)
	pending := rewriteReferences(schema)
	for len(pending) > 0 {
		name := pending[0]
		pending = pending[1:]
		if defs[name] != nil {
			continue
		}
		found, err := t.find(name)
		if err != nil {
			return err
		}
		found = clone(found).(object)
		nameTexts(found)
		pending = append(pending, rewriteReferences(found)...)
		defs[name] = found
	}
	if len(defs) > 0 {
		schema["$defs"] = defs
	}
	return nil
}

// nameTexts makes a text for which a schema states no form refer to the type text.
func nameTexts(at any) {
	switch at := at.(type) {
	case object:
		kinds, several := at["type"].([]any)
		isText := at["type"] == "string" || several && slices.Contains(kinds, any("string"))
		if isText && at["pattern"] == nil && at["enum"] == nil && at["const"] == nil && at["$ref"] == nil {
			at["$ref"] = "text"
		}
		for _, below := range at {
			nameTexts(below)
		}
	case []any:
		for _, below := range at {
			nameTexts(below)
		}
	}
}

// rewriteReferences turns the names in $ref into pointers and returns the
// names. A name with a question mark may also be an empty text.
func rewriteReferences(at any) []string {
	var names []string
	switch at := at.(type) {
	case object:
		name, ok := at["$ref"].(string)
		if ok && !strings.HasPrefix(name, "#") {
			delete(at, "$ref")
			base, optional := strings.CutSuffix(name, "?")
			reference := object{"$ref": "#/$defs/" + base}
			if optional {
				reference = object{"if": object{"const": ""}, "else": reference}
			}
			merge(at, reference)
			names = append(names, base)
		}
		for _, below := range at {
			names = append(names, rewriteReferences(below)...)
		}
	case []any:
		for _, below := range at {
			names = append(names, rewriteReferences(below)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// merge lays b over a: objects merge, everything else replaces. A null in b
// deletes.
func merge(a, b object) {
	for name, value := range b {
		below, isObject := value.(object)
		existing, wasObject := a[name].(object)
		switch {
		case value == nil:
			delete(a, name)
		case isObject && wasObject:
			merge(existing, below)
		default:
			a[name] = clone(value)
		}
	}
}

// clone copies a schema, so that what is written into it is written once.
func clone(value any) any {
	switch value := value.(type) {
	case object:
		out := make(object, len(value))
		for name, below := range value {
			out[name] = clone(below)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, below := range value {
			out[i] = clone(below)
		}
		return out
	default:
		return value
	}
}
