package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// The schema takes the files that we ship and write, and knows the keys of every
// chart, those of sub-charts too.
func TestSchemaKnowsOurFiles(t *testing.T) {
	text, err := fleetSchema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("fleet.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	demo, err := os.ReadFile("../../demo/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	with := func(values string) string {
		return "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: x}\nspec: {values: {" + values + "}}"
	}
	for name, tc := range map[string]struct {
		file string
		ok   bool
	}{
		"the template":              {string(fleetTemplate), true},
		"the demo":                  {string(demo), true},
		"a value taken away":        {with("platform: {nats: {enabled: false}, dynamo-operator: null}"), true},
		"a value of a sub-chart":    {with("platform: {dynamo-operator: {namespaceRestriction: {enabled: true}}}"), true},
		"a misspelt one":            {with("platform: {dynamo-operator: {namespaceRestrictions: {enabled: true}}}"), false},
		"a chart that there is not": {with("plattform: {}"), false},
		"a third party's":           {with("platform: {nats: {whatever: {it: has}}}"), true},
		"an agent's":                {with("chrek: {storage: {pvc: {name: a}}}"), true},
		"an agent's misspelt":       {with("chrek: {storage: {pcv: {name: a}}}"), false},
	} {
		t.Run(name, func(t *testing.T) {
			asJSON, err := yaml.YAMLToJSON([]byte(tc.file))
			if err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance); (err == nil) != tc.ok {
				t.Errorf("the schema says %v", err)
			}
		})
	}
}
