package apply

import (
	"testing"

	"sigs.k8s.io/yaml"
)

func TestContains(t *testing.T) {
	for name, tc := range map[string]struct {
		live, desired string
		want          bool
	}{
		"defaults of the API server": {"{a: 1, b: 2}", "{a: 1}", true},
		"changed value":              {"{a: 2}", "{a: 1}", false},
		"missing value":              {"{}", "{a: 1}", false},
		"empty is absent":            {"{}", "{a: {}, b: []}", true},
		"nested":                     {"{a: {b: {c: 1, d: 2}}}", "{a: {b: {c: 1}}}", true},
		"nested, changed":            {"{a: {b: {c: 3, d: 2}}}", "{a: {b: {c: 1}}}", false},
		"other type":                 {"{a: text}", "{a: {b: 1}}", false},
		"words":                      {"{args: [x, y]}", "{args: [x, y]}", true},
		"words, one more":            {"{args: [x, y, z]}", "{args: [x, y]}", false},
		"words, other order":         {"{args: [y, x]}", "{args: [x, y]}", false},
		"items, defaulted":           {"{env: [{name: A, value: b, x: y}]}", "{env: [{name: A, value: b}]}", true},
		"items of others":            {"{env: [{name: Z}, {name: A}, {name: Y}, {name: B}]}", "{env: [{name: A}, {name: B}]}", true},
		"items, other order":         {"{env: [{name: B}, {name: A}]}", "{env: [{name: A}, {name: B}]}", false},
		"items, one gone":            {"{env: [{name: A}]}", "{env: [{name: A}, {name: B}]}", false},
		"rules, one too many":        {"{rules: [{verbs: [get]}, {verbs: ['*']}]}", "{rules: [{verbs: [get]}]}", false},
		"zero is a value":            {"{a: 60}", "{a: 0}", false},
	} {
		t.Run(name, func(t *testing.T) {
			parse := func(text string) map[string]any {
				fields := map[string]any{}
				if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
					t.Fatal(err)
				}
				return fields
			}
			if got := contains(parse(tc.live), parse(tc.desired)); got != tc.want {
				t.Errorf("contains = %v, want %v", got, tc.want)
			}
		})
	}
}
