package charts

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// The charts' suites, which `make test-charts` runs, set every key that a chart
// knows and look into every template that it has. The test prints the counts.
func TestSuitesCoverEveryKeyAndTemplate(t *testing.T) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CHART\tTESTS\tKEYS COVERED\tTEMPLATES COVERED")
	for _, folder := range []string{"crds", "chrek", "platform/components/operator", "platform"} {
		dir := filepath.Join("../../charts", folder)
		suites := readSuites(t, dir)
		keys, templates := keysOf(t, dir), templatesOf(t, dir)
		keysLeft, templatesLeft := suites.uncovered(keys), slices.DeleteFunc(slices.Clone(templates), suites.looksInto)
		fmt.Fprintf(table, "%s\t%d\t%d/%d\t%d/%d\n", folder, suites.tests, len(keys)-len(keysLeft), len(keys), len(templates)-len(templatesLeft), len(templates))
		if len(keysLeft) > 0 {
			t.Errorf("no suite of charts/%s sets:\n  %s", folder, strings.Join(keysLeft, "\n  "))
		}
		if len(templatesLeft) > 0 {
			t.Errorf("no suite of charts/%s looks into: %s", folder, strings.Join(templatesLeft, ", "))
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

// suites is what the suites of a chart set and look into.
type suites struct {
	tests     int
	set       map[string]bool
	templates map[string]bool
}

func readSuites(t *testing.T, dir string) suites {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "tests", "*_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out := suites{set: map[string]bool{}, templates: map[string]bool{}}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		type scope struct {
			Template  string           `json:"template"`
			Templates []string         `json:"templates"`
			Set       map[string]any   `json:"set"`
			Asserts   []map[string]any `json:"asserts"`
		}
		var suite struct {
			scope
			Tests []scope `json:"tests"`
		}
		if err := yaml.Unmarshal(data, &suite); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, s := range append(suite.Tests, suite.scope) {
			for _, template := range append(s.Templates, s.Template) {
				out.templates[filepath.Base(template)] = true
			}
			flatten("", s.Set, out.set)
			for _, assert := range s.Asserts {
				if template, ok := assert["template"].(string); ok {
					out.templates[filepath.Base(template)] = true
				}
			}
		}
		for _, test := range suite.Tests {
			if len(test.Asserts) == 0 {
				t.Errorf("%s has a test that asserts nothing", file)
			}
		}
		out.tests += len(suite.Tests)
	}
	return out
}

// flatten lists the paths that a set block writes; its keys may be paths.
func flatten(prefix string, set map[string]any, into map[string]bool) {
	for key, value := range set {
		path := strings.TrimPrefix(prefix+"."+key, ".")
		into[path] = true
		if inner, ok := value.(map[string]any); ok {
			flatten(path, inner, into)
		}
	}
}

// uncovered lists the keys that no test sets, themselves or below.
func (s suites) uncovered(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		if s.set[key] {
			return true
		}
		for path := range s.set {
			if strings.HasPrefix(path, key+".") || strings.HasPrefix(path, key+"[") {
				return true
			}
		}
		return false
	})
}

func (s suites) looksInto(template string) bool { return s.templates[template] }

// keysOf lists the leaves of a chart's schema that the chart itself owns.
func keysOf(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	leaves("", schema, &keys)
	slices.Sort(keys)
	return keys
}

func leaves(path string, schema map[string]any, into *[]string) {
	properties, _ := schema["properties"].(map[string]any)
	// A map that takes other keys too is one value.
	if closed, ok := schema["additionalProperties"].(bool); len(properties) == 0 || !ok || closed {
		*into = append(*into, path)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if inner, ok := properties[key].(map[string]any); ok {
			leaves(strings.TrimPrefix(path+"."+key, "."), inner, into)
		}
	}
}

func templatesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := fs.Glob(os.DirFS(filepath.Join(dir, "templates")), "*.*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(file string) bool { return strings.HasPrefix(file, "_") })
}
