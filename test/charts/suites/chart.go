package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// chart is a chart with its suites.
type chart struct {
	folder, name string
	// keys are the leaves of its schema that it owns itself.
	keys      []string
	templates []string
	// seen are the templates that a suite looks into.
	seen    map[string]bool
	suites  int
	tests   int
	mutants []mutant
}

// mutant is a test without one of the keys that it sets. A suite as it is, which
// must pass, is one without a key.
type mutant struct {
	key    string
	number int
	suite  map[string]any
}

// id is the mutant's name in the output of helm-unittest.
func (m mutant) id(chart int) string { return fmt.Sprintf("chart-%d-mutant-%d", chart, m.number) }

func openChart(folder string) (*chart, error) {
	c := &chart{folder: folder, seen: map[string]bool{}}
	var head struct {
		Name string `json:"name"`
	}
	var schema map[string]any
	if err := readYAML(filepath.Join(folder, "Chart.yaml"), &head); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(folder, "values.schema.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	c.name, c.keys = head.Name, leaves("", schema)
	templates, err := fs.Glob(os.DirFS(filepath.Join(folder, "templates")), "[^_]*.*")
	if err != nil {
		return nil, err
	}
	c.templates = templates
	suites, err := filepath.Glob(filepath.Join(folder, "tests", "*_test.yaml"))
	if err != nil {
		return nil, err
	}
	for _, file := range suites {
		var suite map[string]any
		if err := readYAML(file, &suite); err != nil {
			return nil, err
		}
		if err := c.addSuite(suite); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return c, nil
}

func readYAML(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// leaves lists the keys of a schema. A map that takes other keys too is one value.
// What is deprecated is accepted and has no effect, so no test could miss it.
func leaves(path string, schema map[string]any) []string {
	properties, _ := schema["properties"].(map[string]any)
	if closed, ok := schema["additionalProperties"].(bool); len(properties) == 0 || !ok || closed {
		return []string{path}
	}
	var found []string
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if below, ok := properties[key].(map[string]any); ok && below["deprecated"] != true {
			found = append(found, leaves(strings.TrimPrefix(path+"."+key, "."), below)...)
		}
	}
	return found
}

// addSuite makes the mutants of a suite, and notes which templates it looks into.
func (c *chart) addSuite(suite map[string]any) error {
	if _, sets := suite["set"]; sets {
		return fmt.Errorf("it sets values for all of its tests: set them in each, so that each can do without one")
	}
	c.look(suite)
	c.suites++
	c.mutants = append(c.mutants, mutant{number: len(c.mutants), suite: suite})
	tests, _ := suite["tests"].([]any)
	for _, t := range tests {
		test, _ := t.(map[string]any)
		asserts, _ := test["asserts"].([]any)
		if len(asserts) == 0 {
			return fmt.Errorf("the test %q asserts nothing", test["it"])
		}
		c.tests++
		c.look(test)
		for _, assert := range asserts {
			if a, ok := assert.(map[string]any); ok {
				c.look(a)
			}
		}
		set, _ := test["set"].(map[string]any)
		for _, key := range c.keys {
			less, had := without(set, key)
			if !had {
				continue
			}
			mutated := maps.Clone(test)
			mutated["set"] = less
			only := maps.Clone(suite)
			only["tests"] = []any{mutated}
			c.mutants = append(c.mutants, mutant{key: key, number: len(c.mutants), suite: only})
		}
	}
	return nil
}

// look notes the templates that a suite, a test or an assert names.
func (c *chart) look(scope map[string]any) {
	names, _ := scope["templates"].([]any)
	for _, name := range append(names, scope["template"]) {
		if text, ok := name.(string); ok {
			c.seen[filepath.Base(text)] = true
		}
	}
}

// without is a set block without a key and all below it, and whether it had
// it. The block's own keys may be paths.
func without(set map[string]any, key string) (less map[string]any, had bool) {
	less = map[string]any{}
	for path, value := range set {
		below, isBelow := strings.CutPrefix(key, path+".")
		inner, isMap := value.(map[string]any)
		switch {
		case path == key || strings.HasPrefix(path, key+".") || strings.HasPrefix(path, key+"["):
			had = true
		case isBelow && isMap:
			rest, found := without(inner, below)
			less[path], had = rest, had || found
		default:
			less[path] = value
		}
	}
	return less, had
}
