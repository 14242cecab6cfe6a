package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var valuesMatchSchema = Rule{
	ID:       "W-00",
	Severity: Error,
	Says:     "Values match the schema of their chart, at any depth.",
	Why: "Helm drops a key that it does not know without a word: a misspelt namespaceRestriction installs a cluster-wide operator. " +
		"So an unknown key is an error with the key that was meant, and a value of the wrong type is one with its line.",
	Find: func(in Input) (problems []fleet.Problem) {
		seen := map[string]bool{}
		for _, rel := range in.Set.Releases {
			for _, schema := range in.Charts[rel.Chart].Schemas() {
				for _, p := range schemaProblems(schema, rel) {
					// A key in a shared values file is one mistake, not one per tenant.
					if text := p.String(); !seen[text] {
						seen[text] = true
						problems = append(problems, p)
					}
				}
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "values: [{platform: {dynamo-operator: {namespaceRestrictions: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {controllerManager: {replicas: many}}}}]\nplatforms: [{namespace: team-a}]"},
	},
	Passes: []Example{{Fleet: "values: [{platform: {dynamo-operator: {controllerManager: {replicas: 2}}}}]\nplatforms: [{namespace: team-a}]"}},
}

// schemaProblems validates one release against one schema.
func schemaProblems(schema chart.Schema, rel fleet.Release) []fleet.Problem {
	compiled, err := compile(schema)
	if err != nil {
		return []fleet.Problem{{Origin: rel.Origin, Message: fmt.Sprintf("the schema of chart %s cannot be used: %v", schema.Chart, err)}}
	}
	instance := rel.Values.At(schema.Path...)
	if instance == nil || instance.Kind != fleet.Map {
		return nil
	}
	plain := instance.PlainMap()
	if len(schema.Path) > 0 {
		plain["global"] = fleet.Merge(instance.Field("global"), rel.Values.Field("global")).Plain()
		if plain["global"] == nil {
			delete(plain, "global")
		}
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(compiled.schema.Validate(plain), &invalid) {
		return nil
	}
	var problems []fleet.Problem
	for _, leaf := range leaves(invalid) {
		problems = append(problems, describe(compiled, leaf, schema, rel)...)
	}
	return problems
}

type compiledSchema struct {
	schema *jsonschema.Schema
	// source is the schema document, to look up what is allowed at a place.
	source any
}

const schemaURL = "mem:///values.schema.json"

var compiledSchemas sync.Map

// compile keeps compiled schemas, which a fleet uses once per tenant.
func compile(schema chart.Schema) (*compiledSchema, error) {
	if c, ok := compiledSchemas.Load(string(schema.JSON)); ok {
		return c.(*compiledSchema), nil
	}
	source, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSON))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, source); err != nil {
		return nil, err
	}
	s, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, err
	}
	c := &compiledSchema{schema: s, source: source}
	compiledSchemas.Store(string(schema.JSON), c)
	return c, nil
}

// noLoader keeps schemas from fetching anything: they must be self-contained.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("refers to %s, which is outside the chart", url)
}

// leaves are the innermost causes. Below anyOf and oneOf the branches that
// did not match are noise, so the node itself is reported.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

func describe(c *compiledSchema, e *jsonschema.ValidationError, schema chart.Schema, rel fleet.Release) []fleet.Problem {
	path := slices.Concat(schema.Path, e.InstanceLocation)
	if extra, ok := e.ErrorKind.(*kind.AdditionalProperties); ok {
		return unknownKeys(extra.Properties, c.known(e.SchemaURL), path, rel)
	}
	text := sentence(e)
	if v := rel.Values.At(path...); v != nil && len(fleet.Credentials(v, path...)) > 0 {
		text = "is not what the schema allows; the value is not shown, because it looks like a credential"
	}
	return []fleet.Problem{{
		Origin:  originOf(rel, path...),
		Message: fmt.Sprintf("%s: %s", dotted(rel.Chart, path), text),
	}}
}

func unknownKeys(keys, known, path []string, rel fleet.Release) []fleet.Problem {
	var problems []fleet.Problem
	for _, key := range keys {
		p := fleet.Problem{
			Origin:  originOf(rel, append(slices.Clone(path), key)...),
			Message: fmt.Sprintf("%s: unknown key", dotted(rel.Chart, append(slices.Clone(path), key))),
		}
		if meant := fleet.Closest(key, known); meant != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", meant)
		} else if len(known) > 0 {
			p.Fix = "known keys: " + strings.Join(known, ", ")
		}
		problems = append(problems, p)
	}
	return problems
}

// known lists the properties that the schema at a URL allows.
func (c *compiledSchema) known(url string) []string {
	_, pointer, _ := strings.Cut(url, "#")
	node := c.source
	for step := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if step == "" {
			continue
		}
		m, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	m, ok := node.(map[string]any)
	if !ok {
		return nil
	}
	properties, ok := m["properties"].(map[string]any)
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(properties))
}

var english = message.NewPrinter(language.English)

func sentence(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, found %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return fmt.Sprintf("is %s; it must be one of: %s", asJSON(k.Got), list(k.Want))
	case *kind.Required:
		return "needs the key " + strings.Join(k.Missing, ", ")
	default:
		return e.ErrorKind.LocalizedString(english)
	}
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
