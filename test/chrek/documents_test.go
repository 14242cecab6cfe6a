package chrek

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"sigs.k8s.io/yaml"
)

const chartDir = "../../charts/chrek"

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(chartDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// schemaNode is as much of a JSON schema as these tests look at.
type schemaNode struct {
	Type                 any                   `json:"type"`
	Ref                  string                `json:"$ref"`
	Properties           map[string]schemaNode `json:"properties"`
	AdditionalProperties any                   `json:"additionalProperties"`
	Defs                 map[string]schemaNode `json:"$defs"`
}

// keys lists the leaves of the schema: what has no fixed keys of its own.
func (root schemaNode) keys(at schemaNode, path string) []string {
	if at.Ref != "" {
		at = root.Defs[strings.TrimPrefix(at.Ref, "#/$defs/")]
	}
	fixed := at.AdditionalProperties == false || path == "" || path == "global"
	if !fixed || len(at.Properties) == 0 {
		return []string{path}
	}
	var all []string
	for name, property := range at.Properties {
		all = append(all, root.keys(property, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return all
}

// valueAt follows a dotted path through the default values.
func valueAt(values map[string]any, path string) (any, bool) {
	var at any = values
	for key := range strings.SplitSeq(path, ".") {
		fields, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = fields[key]; !ok {
			return nil, false
		}
	}
	return at, true
}

var row = regexp.MustCompile("(?m)^\\| `([A-Za-z0-9.]+)` \\| `([^`]*)` \\| [^|]+ \\|$")

func TestTheReadmeListsEveryValueWithItsDefault(t *testing.T) {
	var values map[string]any
	if err := yaml.UnmarshalStrict(read(t, "values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(read(t, "README.md")), -1) {
		documented[m[1]] = m[2]
	}
	for key, text := range documented {
		value, ok := valueAt(values, key)
		if !ok {
			t.Errorf("README.md describes %s, which values.yaml lacks", key)
			continue
		}
		if want, err := json.Marshal(value); err != nil || string(want) != text {
			t.Errorf("README.md says that the default of %s is %s; it is %s (%v)", key, text, want, err)
		}
	}

	var schema schemaNode
	if err := json.Unmarshal(read(t, "values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, key := range schema.keys(schema, "") {
		for known := range documented {
			if strings.HasPrefix(key, known+".") {
				key = known // the table describes the whole, such as daemonset.resources
			}
		}
		// Later names of other keys have no default of their own.
		if !strings.HasPrefix(key, "config.criu") && !strings.HasPrefix(key, "config.overlay") {
			allowed[key] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(allowed)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("-schema +README.md:\n%s", diff)
	}
	t.Logf("%d values are documented", len(documented))
}

func TestHelmLintHasNothingToSay(t *testing.T) {
	lint := action.NewLint()
	lint.Strict, lint.Namespace, lint.Quiet = true, namespace, true
	for mode, values := range modes {
		if found := lint.Run([]string{chartDir}, parse(t, values)); len(found.Errors) > 0 {
			t.Errorf("%s: %v", mode, found.Errors)
		}
	}
}
