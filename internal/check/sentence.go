package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// describe says in words what a validator found.
func describe(c *compiledSchema, e *jsonschema.ValidationError, schema chart.Schema, rel fleet.Release, all []chart.Schema) []fleet.Problem {
	path := slices.Concat(schema.Path, e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return unknownKeys(k.Properties, c.node(e.SchemaURL), path, rel, all)
	case *kind.DependentRequired:
		if reason := k.Missing[0]; isReason(reason) {
			p := problemAt(rel, append(slices.Clone(path), k.Prop), "unknown key")
			p.Fix = reason
			return []fleet.Problem{p}
		}
	case *kind.Required:
		if reason := k.Missing[0]; isReason(reason) {
			return []fleet.Problem{refusal(rel, schema.Path, reason)}
		}
	}
	value := rel.Values.At(path...)
	if len(value.SealedLeaves()) > 0 {
		return []fleet.Problem{problemAt(rel, path, "is not what the schema allows; the value is not shown, because it is encrypted in its file")}
	}
	if value != nil && len(fleet.Credentials(value, path...)) > 0 {
		return []fleet.Problem{problemAt(rel, path, "is not what the schema allows; the value is not shown, because it looks like a credential")}
	}
	return []fleet.Problem{problemAt(rel, path, sentence(e, c.node(e.SchemaURL), value))}
}

func problemAt(rel fleet.Release, path []string, says string) fleet.Problem {
	return fleet.Problem{Origin: originOf(rel, path...), Message: dotted(rel.Chart, path) + ": " + says}
}

// isReason tells a sentence, by which our schemas refuse a value, from the name
// of a property.
func isReason(name string) bool { return strings.Contains(name, " ") }

// refusal points at the value that a reason begins with: storage.type=pvc: ...
func refusal(rel fleet.Release, path []string, reason string) fleet.Problem {
	key := strings.FieldsFunc(reason, func(r rune) bool { return strings.ContainsRune(" =:", r) })[0]
	return fleet.Problem{
		Origin:  originOf(rel, slices.Concat(path, splitPath(key))...),
		Message: dotted(rel.Chart, path) + " needs " + reason,
	}
}

func unknownKeys(keys []string, node map[string]any, path []string, rel fleet.Release, all []chart.Schema) []fleet.Problem {
	explained, _ := node["dependentRequired"].(map[string]any)
	properties, _ := node["properties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	var problems []fleet.Problem
	for _, key := range keys {
		if explained[key] != nil {
			continue
		}
		p := problemAt(rel, append(slices.Clone(path), key), "unknown key")
		elsewhere := placesOf(key, all)
		switch meant := spelling.Closest(key, known); {
		case meant != "":
			p.Fix = fmt.Sprintf("did you mean %q?", meant)
		case len(elsewhere) > 0 && len(elsewhere) <= 3:
			p.Fix = "did you mean " + strings.Join(elsewhere, " or ") + "?"
		case node["patternProperties"] != nil:
			p.Fix = fmt.Sprintf("%s must be %s", path[len(path)-1], node["description"])
		case len(known) > 0:
			p.Fix = "known keys: " + strings.Join(known, ", ")
		}
		problems = append(problems, p)
	}
	return problems
}

// placesOf lists the paths at which schemas know a key, Kubernetes' types apart.
func placesOf(key string, schemas []chart.Schema) []string {
	var places []string
	var search func(node map[string]any, path []string)
	search = func(node map[string]any, path []string) {
		properties, _ := node["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			at := append(slices.Clone(path), name)
			if name == key {
				places = append(places, strings.Join(at, "."))
			}
			if below, ok := properties[name].(map[string]any); ok {
				search(below, at)
			}
		}
	}
	for _, schema := range schemas {
		if compiled, err := compile(schema); err == nil {
			search(compiled.node(""), schema.Path)
		}
	}
	return places
}

// node finds the part of a schema that a URL points at; nil if there is none.
func (c *compiledSchema) node(url string) map[string]any {
	_, pointer, _ := strings.Cut(url, "#")
	at := c.source
	for step := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if step == "" {
			continue
		}
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	m, _ := at.(map[string]any)
	return m
}

var english = message.NewPrinter(language.English)

// sentence prefers what the schema says of itself to a pattern or a limit.
func sentence(e *jsonschema.ValidationError, node map[string]any, value *fleet.Value) string {
	found := value.Plain()
	switch k := e.ErrorKind.(type) {
	case *kind.Enum:
		return fmt.Sprintf("is %s; it must be one of: %s", asJSON(k.Got), list(k.Want))
	case *kind.Required:
		return "needs the key " + strings.Join(k.Missing, ", ")
	case *kind.Type:
		if form, ok := formOf(e, node); ok {
			return fmt.Sprintf("is %s; it must be %s", asJSON(found), form)
		}
		return fmt.Sprintf("must be %s, found %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Pattern:
		// The name of a key has no value of its own.
		found = k.Got
		if form, ok := formOf(e, node); ok {
			return fmt.Sprintf("is %s; it must be %s", asJSON(found), form)
		}
		if meaning, ok := node["description"].(string); ok {
			return fmt.Sprintf("is %s, which does not fit: %s", asJSON(found), meaning)
		}
	case *kind.Minimum, *kind.Maximum, *kind.MaxLength:
		if form, ok := formOf(e, node); ok {
			return fmt.Sprintf("is %s; it must be %s", asJSON(found), form)
		}
	}
	return e.ErrorKind.LocalizedString(english)
}

// formOf is how a named type of a schema describes itself.
func formOf(e *jsonschema.ValidationError, node map[string]any) (string, bool) {
	form, ok := node["description"].(string)
	return form, ok && strings.Contains(e.SchemaURL, "#/$defs/")
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = asJSON(v)
	}
	return strings.Join(words, ", ")
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// dotted writes a value's path as a user writes it after --set.
func dotted(chartKey string, path []string) string {
	return strings.Join(append([]string{chartKey}, path...), ".")
}

func splitPath(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}
