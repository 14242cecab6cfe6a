package trace

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Live is a field of an object as it is in a cluster.
type Live struct {
	// Exists says whether the object is there, Present whether it has the field.
	Exists  bool `json:"exists"`
	Present bool `json:"present"`
	Value   any  `json:"value,omitempty"`
	// Differs says whether it is not what the release renders.
	Differs bool    `json:"differs"`
	Owners  []Owner `json:"owners"`
}

// Compare adds how the field is in the cluster. A nil object does not exist.
// Of a map only what is rendered is compared: the API server and others add to
// objects without disagreeing with anybody.
func (f *Field) Compare(live map[string]any, path Path) {
	f.Live = &Live{Exists: live != nil, Owners: []Owner{}}
	if live == nil {
		return
	}
	value, present := path.In(live)
	f.Live.Present = present
	f.Live.Differs = present != f.Rendered && f.Rendered || present && f.Rendered && !contains(value, f.rendered)
	f.Live.Value = f.shown(value)
	f.Live.Owners = append(f.Live.Owners, Owners(live, path)...)
}

// contains reports whether a live value has all of a rendered one.
func contains(live, rendered any) bool {
	switch r := rendered.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return len(r) == 0 && live == nil
		}
		for key, value := range r {
			if !contains(l[key], value) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(r) {
			return len(r) == 0 && live == nil
		}
		for i, item := range r {
			if !contains(l[i], item) && !slices.ContainsFunc(l, func(other any) bool { return contains(other, item) }) {
				return false
			}
		}
		return true
	default:
		return same(live, rendered) || sameQuantity(live, rendered)
	}
}

// sameQuantity: 1000m and 1 are the same, and the API server writes either.
func sameQuantity(a, b any) bool {
	x, isText := a.(string)
	y, isTextToo := b.(string)
	if !isText || !isTextToo {
		return false
	}
	left, err := resource.ParseQuantity(x)
	if err != nil {
		return false
	}
	right, err := resource.ParseQuantity(y)
	return err == nil && left.Cmp(right) == 0
}
