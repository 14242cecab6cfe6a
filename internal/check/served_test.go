package check

import (
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestUnservedFields(t *testing.T) {
	wanted := "{properties: {metadata: {type: object}, spec: {properties: {a: {type: string}, list: {items: {properties: {b: {type: string}}}}, map: {additionalProperties: {properties: {c: {type: string}}}}}}}}"
	for _, test := range []struct {
		name, served string
		want         []string
	}{
		{"the same", wanted, nil},
		{"more", "{properties: {metadata: {$ref: x}, spec: {properties: {new: {}, a: {}, list: {items: {properties: {b: {}}}}, map: {additionalProperties: {properties: {c: {}}}}}}}}", nil},
		{"anything", "{x-kubernetes-preserve-unknown-fields: true}", nil},
		{"nothing", "{properties: {metadata: {}}}", []string{"spec"}},
		{"without a field of a list and a map", "{properties: {metadata: {}, spec: {properties: {a: {}, list: {items: {properties: {}}}, map: {additionalProperties: {properties: {}}}}}}}", []string{"spec.list.b", "spec.map.c"}},
	} {
		var ours, served map[string]any
		if err := yaml.Unmarshal([]byte(wanted), &ours); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(test.served), &served); err != nil {
			t.Fatal(err)
		}
		if got := unserved(ours, served, ""); !slices.Equal(got, test.want) {
			t.Errorf("%s: missing %v, want %v", test.name, got, test.want)
		}
	}
}
