package crdsafety

import (
	"cmp"
	"reflect"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// limits compares which values are allowed.
func (c *changes) limits(path string, old, wanted schema.ValueValidation) {
	c.enum(path, old.Enum, wanted.Enum)
	c.bound(path, "maximum", upper(old.Maximum, wanted.Maximum), old.Maximum, wanted.Maximum)
	c.bound(path, "minimum", lower(old.Minimum, wanted.Minimum), old.Minimum, wanted.Minimum)
	c.bound(path, "maximum length", upper(old.MaxLength, wanted.MaxLength), old.MaxLength, wanted.MaxLength)
	c.bound(path, "minimum length", lower(old.MinLength, wanted.MinLength), old.MinLength, wanted.MinLength)
	c.bound(path, "maximum number of items", upper(old.MaxItems, wanted.MaxItems), old.MaxItems, wanted.MaxItems)
	c.bound(path, "minimum number of items", lower(old.MinItems, wanted.MinItems), old.MinItems, wanted.MinItems)
	c.bound(path, "maximum number of fields", upper(old.MaxProperties, wanted.MaxProperties), old.MaxProperties, wanted.MaxProperties)
	c.bound(path, "minimum number of fields", lower(old.MinProperties, wanted.MinProperties), old.MinProperties, wanted.MinProperties)
	c.flag(path, "the maximum itself is not allowed", old.ExclusiveMaximum, wanted.ExclusiveMaximum)
	c.flag(path, "the minimum itself is not allowed", old.ExclusiveMinimum, wanted.ExclusiveMinimum)
	c.flag(path, "items must differ", old.UniqueItems, wanted.UniqueItems)
	c.text(path, "pattern", old.Pattern, wanted.Pattern)
	c.text(path, "format", old.Format, wanted.Format)
	if wanted.MultipleOf != nil && !reflect.DeepEqual(old.MultipleOf, wanted.MultipleOf) {
		c.add(Narrowing, path, "the value must be a multiple of %s", asJSON(wanted.MultipleOf))
	}
	if !reflect.DeepEqual(conditions(old), conditions(wanted)) {
		c.add(Narrowing, path, "the conditions on the value (allOf, anyOf, oneOf, not) change")
	}
}

func (c *changes) enum(path string, old, wanted []schema.JSON) {
	before, after := asList(old), asList(wanted)
	switch {
	case len(after) == 0 && len(before) > 0:
		c.add(Safe, path, "any value is allowed")
	case len(after) == 0:
	case len(before) == 0:
		c.add(Narrowing, path, "only %s are allowed", strings.Join(after, ", "))
	default:
		if gone := missingFrom(after, before); len(gone) > 0 {
			c.add(Narrowing, path, "no longer allowed: %s", strings.Join(gone, ", "))
		}
		if more := missingFrom(before, after); len(more) > 0 {
			c.add(Safe, path, "also allowed: %s", strings.Join(more, ", "))
		}
	}
}

// move says where a bound went.
type move int

const (
	stays move = iota
	tightens
	loosens
)

func upper[N cmp.Ordered](old, wanted *N) move { return moved(old, wanted, 1) }

func lower[N cmp.Ordered](old, wanted *N) move { return moved(old, wanted, -1) }

// moved compares two bounds; sign is 1 where smaller is tighter.
func moved[N cmp.Ordered](old, wanted *N, sign int) move {
	switch {
	case old == nil && wanted == nil:
		return stays
	case old == nil:
		return tightens
	case wanted == nil:
		return loosens
	}
	switch cmp.Compare(*old, *wanted) * sign {
	case 1:
		return tightens
	case -1:
		return loosens
	default:
		return stays
	}
}

func (c *changes) bound(path, name string, where move, old, wanted any) {
	switch {
	case where == stays:
	case where == loosens:
		c.add(Safe, path, "the %s is loosened", name)
	case reflect.ValueOf(old).IsNil():
		c.add(Narrowing, path, "a %s of %s is new", name, asJSON(wanted))
	default:
		c.add(Narrowing, path, "the %s is tightened from %s to %s", name, asJSON(old), asJSON(wanted))
	}
}

func (c *changes) flag(path, says string, old, wanted bool) {
	if wanted && !old {
		c.add(Narrowing, path, "%s", says)
	}
}

func (c *changes) text(path, name, old, wanted string) {
	switch {
	case old == wanted:
	case wanted == "":
		c.add(Safe, path, "the %s is dropped", name)
	case old == "":
		c.add(Narrowing, path, "the %s %s is new", name, wanted)
	default:
		c.add(Narrowing, path, "the %s changes from %s to %s", name, old, wanted)
	}
}

// conditions are what is left of the limits: combinations, compared as a whole.
func conditions(v schema.ValueValidation) schema.ValueValidation {
	return schema.ValueValidation{AllOf: v.AllOf, OneOf: v.OneOf, AnyOf: v.AnyOf, Not: v.Not}
}

func asList(values []schema.JSON) []string {
	var out []string
	for _, v := range values {
		out = append(out, asJSON(v.Object))
	}
	return out
}

func missingFrom(list, from []string) []string {
	have := map[string]bool{}
	for _, v := range list {
		have[v] = true
	}
	var out []string
	for _, v := range from {
		if !have[v] {
			out = append(out, v)
		}
	}
	return out
}
