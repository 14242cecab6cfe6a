package apply

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// byAdmission lists the fields that policies and webhooks would change if an object
// were written that is as we want it; none if something of ours changes too. What
// admission does to a write is nobody's drift: the object was admitted without it.
func byAdmission(live, wanted, after *unstructured.Unstructured) []string {
	before, ours := ownFields(live), ownFields(after)
	drifts := false
	ours.Leaves().Iterate(func(path fieldpath.Path) {
		is := getField(live.Object, path)
		drifts = drifts || !same(is, getField(after.Object, path)) && !same(is, getField(wanted.Object, path))
	})
	before.Difference(ours).Leaves().Iterate(func(path fieldpath.Path) {
		drifts = drifts || getField(live.Object, path) != nil && getField(after.Object, path) == nil
	})
	if drifts {
		return nil
	}
	return differences("", cleaned(live).Object, cleaned(after).Object)
}

// ownFields are those that our applies own.
func ownFields(u *unstructured.Unstructured) *fieldpath.Set {
	for _, entry := range u.GetManagedFields() {
		if fields, err := fieldsOf(entry); err == nil && isOurs(entry) {
			return fields
		}
	}
	return fieldpath.NewSet()
}

func same(a, b any) bool {
	return value.Equals(value.NewValueInterface(a), value.NewValueInterface(b))
}

// differences lists, in order, the paths at which two values differ.
func differences(path string, a, b any) (out []string) {
	below := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch b := b.(type) {
	case map[string]any:
		if a, ok := a.(map[string]any); ok {
			for key, v := range b {
				out = append(out, differences(below(key), a[key], v)...)
			}
			for key := range a {
				if _, there := b[key]; !there {
					out = append(out, below(key))
				}
			}
			slices.Sort(out)
			return out
		}
	case []any:
		if a, ok := a.([]any); ok && len(a) == len(b) {
			for i := range b {
				out = append(out, differences(path+"["+strconv.Itoa(i)+"]", a[i], b[i])...)
			}
			return out
		}
	}
	if same(a, b) {
		return nil
	}
	return []string{path}
}
