package crdsafety

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// schema compares the schemas of one field and of all below it.
func (c *changes) schema(path string, old, wanted *schema.Structural) {
	c.shape(path, old, wanted)
	c.limits(path, limitsOf(old), limitsOf(wanted))
	c.rules(path, old, wanted)
	c.properties(path, old, wanted)
	c.additional(path, old, wanted)
	switch {
	case old.Items != nil && wanted.Items != nil:
		c.schema(path+"[*]", old.Items, wanted.Items)
	case old.Items == nil && wanted.Items != nil && old.Type == wanted.Type:
		c.add(Narrowing, path+"[*]", "items get a schema")
	}
}

// shape compares what a value may be at all, and how it is merged.
func (c *changes) shape(path string, old, wanted *schema.Structural) {
	if before, after := typeOf(old), typeOf(wanted); before != after {
		class := Narrowing
		if widens(before, after) {
			class = Safe
		}
		c.add(class, path, "the type changes from %s to %s", before, after)
	}
	if old.Nullable && !wanted.Nullable {
		c.add(Narrowing, path, "null is no longer allowed")
	}
	if old.XPreserveUnknownFields && !wanted.XPreserveUnknownFields {
		c.add(Narrowing, path, "unknown fields are no longer kept")
	}
	if !old.XEmbeddedResource && wanted.XEmbeddedResource {
		c.add(Narrowing, path, "it must be a complete Kubernetes object")
	}
	c.defaults(path, old, wanted)
	c.topology(path, old, wanted)
}

func (c *changes) defaults(path string, old, wanted *schema.Structural) {
	before, after := old.Default.Object, wanted.Default.Object
	switch {
	case reflect.DeepEqual(before, after):
	case before == nil:
		c.add(Notable, path, "gets the default %s", asJSON(after))
	case after == nil:
		c.add(Notable, path, "loses its default %s", asJSON(before))
	default:
		c.add(Notable, path, "the default changes from %s to %s", asJSON(before), asJSON(after))
	}
}

// topology compares how lists and maps are merged. A list that gets keys must
// not hold an item twice.
func (c *changes) topology(path string, old, wanted *schema.Structural) {
	before, after := listType(old), listType(wanted)
	switch {
	case before != after && after == "atomic":
		c.add(Notable, path, "server-side apply replaces the list as a whole instead of merging it")
	case before != after:
		c.add(Narrowing, path, "the list type changes from %s to %s: no item may be there twice", before, after)
	case !slices.Equal(old.XListMapKeys, wanted.XListMapKeys):
		c.add(Narrowing, path, "the list's keys change from %v to %v: no key may be there twice", old.XListMapKeys, wanted.XListMapKeys)
	}
	if before, after := mapType(old), mapType(wanted); before != after {
		c.add(Notable, path, "server-side apply treats the map as %s instead of %s", after, before)
	}
}

// rules compares validation rules in CEL by their text.
func (c *changes) rules(path string, old, wanted *schema.Structural) {
	known := map[string]bool{}
	for _, rule := range old.XValidations {
		known[rule.Rule] = true
	}
	for _, rule := range wanted.XValidations {
		if !known[rule.Rule] {
			c.add(Narrowing, path, "a new rule must hold: %s", rule.Rule)
		}
		delete(known, rule.Rule)
	}
	for _, rule := range slices.Sorted(maps.Keys(known)) {
		c.add(Safe, path, "a rule is dropped: %s", rule)
	}
}

func (c *changes) properties(path string, old, wanted *schema.Structural) {
	for _, name := range slices.Sorted(maps.Keys(old.Properties)) {
		before := old.Properties[name]
		after, stays := wanted.Properties[name]
		if !stays {
			c.removed(path+"."+name, &before, wanted)
			continue
		}
		c.schema(path+"."+name, &before, &after)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted.Properties)) {
		if _, known := old.Properties[name]; known {
			continue
		}
		if keepsUnknown(old) {
			c.add(Narrowing, path+"."+name, "the field gets a schema; any value was kept so far")
			continue
		}
		c.add(Safe, path+"."+name, "the field is new")
	}
	c.required(path, old, wanted)
}

// removed judges a property that the new schema does not list: it may still be
// kept as an unknown one.
func (c *changes) removed(path string, before, parent *schema.Structural) {
	switch {
	case parent.AdditionalProperties != nil && parent.AdditionalProperties.Structural != nil:
		c.schema(path, before, parent.AdditionalProperties.Structural)
	case keepsUnknown(parent):
		c.add(Safe, path, "the field has no schema any more; any value is kept")
	default:
		c.add(Narrowing, path, "the field is removed: values are dropped")
	}
}

func (c *changes) required(path string, old, wanted *schema.Structural) {
	before, after := limitsOf(old).Required, limitsOf(wanted).Required
	for _, name := range after {
		if slices.Contains(before, name) {
			continue
		}
		if property, ok := wanted.Properties[name]; ok && property.Default.Object != nil {
			c.add(Notable, path+"."+name, "the field becomes required; its default %s fills it", asJSON(property.Default.Object))
			continue
		}
		c.add(Narrowing, path+"."+name, "the field becomes required")
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			c.add(Safe, path+"."+name, "the field is no longer required")
		}
	}
}

// additional compares what a map may hold under any key.
func (c *changes) additional(path string, old, wanted *schema.Structural) {
	before, after := old.AdditionalProperties, wanted.AdditionalProperties
	switch {
	case before == nil && after != nil && after.Structural != nil && keepsUnknown(old):
		c.add(Narrowing, path+".*", "values get a schema; any value was kept so far")
	case before == nil || after == nil && keepsUnknown(wanted):
	case after == nil:
		c.add(Narrowing, path+".*", "the map no longer holds any key: values are dropped")
	case before.Structural != nil && after.Structural != nil:
		c.schema(path+".*", before.Structural, after.Structural)
	case after.Structural != nil:
		c.add(Narrowing, path+".*", "values get a schema; any value was kept so far")
	}
}

// keepsUnknown reports whether fields without a schema survive.
func keepsUnknown(s *schema.Structural) bool {
	return s.XPreserveUnknownFields || s.AdditionalProperties != nil && s.AdditionalProperties.Structural == nil && s.AdditionalProperties.Bool
}

func typeOf(s *schema.Structural) string {
	switch {
	case s.XIntOrString:
		return "integer or string"
	case s.Type == "":
		return "anything"
	default:
		return s.Type
	}
}

// widens reports whether every value of the old type is one of the new type.
func widens(before, after string) bool {
	return after == "anything" || before == "integer" && after == "number" ||
		after == "integer or string" && (before == "integer" || before == "string")
}

func listType(s *schema.Structural) string {
	if s.XListType == nil {
		return "atomic"
	}
	return *s.XListType
}

func mapType(s *schema.Structural) string {
	if s.XMapType == nil {
		return "granular"
	}
	return *s.XMapType
}

func limitsOf(s *schema.Structural) schema.ValueValidation {
	if s.ValueValidation == nil {
		return schema.ValueValidation{}
	}
	return *s.ValueValidation
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
