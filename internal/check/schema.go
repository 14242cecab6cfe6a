package check

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

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
			schemas := in.Charts[rel.Chart].Schemas()
			found := append(openProblems(rel, in.Charts[rel.Chart]), overriddenProblems(rel, schemas)...)
			for _, schema := range schemas {
				found = append(found, schemaProblems(schema, rel, schemas)...)
			}
			for _, p := range found {
				// A key in a shared values file is one mistake, not one per tenant.
				if text := p.String(); !seen[text] {
					seen[text] = true
					problems = append(problems, p)
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
func schemaProblems(schema chart.Schema, rel fleet.Release, all []chart.Schema) []fleet.Problem {
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
		problems = append(problems, describe(compiled, leaf, schema, rel, all)...)
	}
	return problems
}

type compiledSchema struct {
	schema *jsonschema.Schema
	// source is the schema document, to look up what is allowed at a place.
	source any
}

const schemaURL = "mem:///values.schema.json"

var compiledSchemas sync.Map // where the schema lies, to *compiledSchema

// compile keeps compiled schemas, which a fleet uses many times per tenant.
// Charts are never changed, so a schema is known by its place in memory.
func compile(schema chart.Schema) (*compiledSchema, error) {
	place := &schema.JSON[0]
	if c, ok := compiledSchemas.Load(place); ok {
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
	compiledSchemas.Store(place, c)
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
