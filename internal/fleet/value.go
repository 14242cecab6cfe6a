package fleet

import (
	"maps"
	"slices"
	"strconv"
)

// Kind is the shape of a Value.
type Kind int

// The shapes that a Value can take.
const (
	Scalar Kind = iota
	List
	Map
)

// Value is a tree of chart values in which every node knows where it came from
// and what it overrode. A tree is never changed once built.
type Value struct {
	Kind   Kind
	Origin Origin
	// Fields is set for a Map, Items for a List, Leaf for a Scalar: nil, bool,
	// float64 (as Helm reads numbers) or string.
	Fields map[string]*Value
	Items  []*Value
	Leaf   any
	// Overrode lists the values that this one replaced, nearest first.
	Overrode []Candidate
	// Deleted holds the fields of a map that a null of a stronger layer removed:
	// each is that null, and knows what it removed.
	Deleted map[string]*Value
	// Subchart marks the values of a sub-chart, which sees its parent's global.
	Subchart bool
	// Vouched says that a person called the value no credential.
	Vouched bool
	// Sealed is the text that stands where the value is written, if it was
	// encrypted there: the value is then not shown.
	Sealed string
}

// Candidate is a value that lost against a stronger layer.
type Candidate struct {
	// Path is set where the value was lost at another place than the winner's: a
	// number that became a map, or a map that became a number.
	Path    string `json:"path,omitempty"`
	Value   any    `json:"value"`
	Origin  Origin `json:"origin"`
	Vouched bool   `json:"-"`
}

// NewMap returns an empty map from the given place.
func NewMap(origin Origin) *Value {
	return &Value{Kind: Map, Origin: origin, Fields: map[string]*Value{}}
}

// NewScalar returns a leaf from the given place.
func NewScalar(leaf any, origin Origin) *Value {
	return &Value{Kind: Scalar, Leaf: leaf, Origin: origin}
}

// IsNull reports whether the value is an explicit null, which deletes.
func (v *Value) IsNull() bool { return v != nil && v.Kind == Scalar && v.Leaf == nil }

// Plain converts the tree to what encoding/json would have produced.
func (v *Value) Plain() any {
	if v == nil {
		return nil
	}
	switch v.Kind {
	case Map:
		return v.PlainMap()
	case List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.Plain()
		}
		return items
	default:
		return v.Leaf
	}
}

// vouched reports whether a person vouched for the value, or for an item of it.
func (v *Value) vouched() bool {
	if v.Kind != List {
		return v.Vouched
	}
	return slices.ContainsFunc(v.Items, func(item *Value) bool {
		for _, field := range item.Fields {
			if field.vouched() {
				return true
			}
		}
		return item.vouched()
	})
}

// open is Plain with what was sealed hidden.
func (v *Value) open() any { return v.show(func(*Value) any { return Hidden }) }

// show is Plain with something instead of what was sealed, key by key in order.
func (v *Value) show(instead func(*Value) any) any {
	switch {
	case v == nil:
		return nil
	case v.Sealed != "":
		return instead(v)
	case v.Kind == Map:
		out := make(map[string]any, len(v.Fields))
		for _, key := range v.Keys() {
			out[key] = v.Fields[key].show(instead)
		}
		return out
	case v.Kind == List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.show(instead)
		}
		return items
	default:
		return v.Leaf
	}
}

// PlainMap is Plain for a tree whose root is a map; it is empty otherwise.
func (v *Value) PlainMap() map[string]any {
	out := map[string]any{}
	if v == nil {
		return out
	}
	for key, field := range v.Fields {
		out[key] = field.Plain()
	}
	return out
}

// Field returns the named field of a map, or nil.
func (v *Value) Field(name string) *Value {
	if v == nil {
		return nil
	}
	return v.Fields[name]
}

// At walks a path of map keys and list indexes. It returns nil if nothing is
// there.
func (v *Value) At(path ...string) *Value {
	for _, step := range path {
		if v == nil {
			return nil
		}
		if v.Kind != List {
			v = v.Fields[step]
			continue
		}
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(v.Items) {
			return nil
		}
		v = v.Items[i]
	}
	return v
}

// Nearest is At, but stops at the last node that exists, so that a message
// about a missing key can still point at a line.
func (v *Value) Nearest(path ...string) *Value {
	for i := range path {
		next := v.At(path[i])
		if next == nil {
			return v
		}
		v = next
	}
	return v
}

// Keys lists the fields of a map in order.
func (v *Value) Keys() []string {
	if v == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(v.Fields))
}

// Put returns the map with one more path set; intermediate maps are made.
func (v *Value) Put(leaf *Value, path ...string) *Value {
	out := NewMap(leaf.Origin)
	if v != nil && v.Kind == Map {
		*out = *v
		out.Fields = make(map[string]*Value, len(v.Fields)+1)
		maps.Copy(out.Fields, v.Fields)
	}
	if len(path) == 1 {
		out.Fields[path[0]] = leaf
		return out
	}
	out.Fields[path[0]] = out.Fields[path[0]].Put(leaf, path[1:]...)
	return out
}

// Merge lays strong over weak as Helm's users expect: maps merge, lists and
// scalars replace. A null in strong stays as null, so that it can still delete
// a default of the chart. Neither argument is changed.
func Merge(weak, strong *Value) *Value {
	switch {
	case weak == nil:
		return strong
	case strong == nil:
		return weak
	case weak.Kind == Map && strong.Kind == Map:
		out := union(weak, strong)
		for key, field := range strong.Fields {
			out.Fields[key] = Merge(weak.Fields[key], field)
		}
		return out
	default:
		return replace(weak, strong)
	}
}

// union is a map with the fields of the weak one, ready for those of the strong.
func union(weak, strong *Value) *Value {
	out := &Value{
		Kind: Map, Origin: strong.Origin, Fields: make(map[string]*Value, len(weak.Fields)+len(strong.Fields)),
		Overrode: slices.Concat(strong.Overrode, weak.Overrode), Subchart: weak.Subchart || strong.Subchart,
	}
	maps.Copy(out.Fields, weak.Fields)
	return out
}

// replace is the strong value, with the weak one and its past among the lost.
// The paths of the lost are relative to the value.
func replace(weak, strong *Value) *Value {
	out := *strong
	out.Overrode = slices.Clone(strong.Overrode)
	for _, lost := range explain(weak, "", nil) {
		out.Overrode = append(out.Overrode, Candidate{Path: lost.Path, Value: lost.Value, Origin: lost.Origin, Vouched: lost.Vouched})
		out.Overrode = append(out.Overrode, lost.Overrode...)
	}
	return &out
}

// MergeAll folds layers, weakest first.
func MergeAll(layers ...*Value) *Value {
	var out *Value
	for _, layer := range layers {
		out = Merge(out, layer)
	}
	return out
}

// Effective is what a template sees: the overrides over the chart's defaults,
// with the keys gone that an override deleted by null. A null without a default
// to delete stays, as Helm leaves it.
func Effective(defaults, overrides *Value) *Value {
	if defaults == nil || overrides == nil || defaults.Kind != Map || overrides.Kind != Map {
		return Merge(defaults, overrides)
	}
	out := union(defaults, overrides)
	for key, field := range overrides.Fields {
		lower, exists := defaults.Fields[key]
		if exists && field.IsNull() {
			if out.Deleted == nil {
				out.Deleted = map[string]*Value{}
			}
			out.Deleted[key] = replace(lower, field)
			delete(out.Fields, key)
			continue
		}
		out.Fields[key] = Effective(lower, field)
	}
	return out
}

// passGlobal gives every sub-chart the globals of its parent, which win over
// its own, as Helm does before it renders.
func passGlobal(v *Value) *Value {
	global := v.Field("global")
	var out *Value
	for key, field := range v.Fields {
		if !field.Subchart || field.Kind != Map {
			continue
		}
		if global != nil {
			field = field.Put(Merge(field.Field("global"), global), "global")
		}
		if out == nil {
			copied := *v
			copied.Fields = maps.Clone(v.Fields)
			out = &copied
		}
		out.Fields[key] = passGlobal(field)
	}
	if out == nil {
		return v
	}
	return out
}
