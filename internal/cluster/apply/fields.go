package apply

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// conflictText is how the API server says who owns a field.
var conflictText = regexp.MustCompile(`^conflict with "([^"]*)"(?: with subresource "([^"]*)")?`)

// conflictsOf lists the fields that kept an apply from being made because others
// own them. It is empty for an error that is no conflict of fields. Where both
// sides are known, the values and the safe choice are filled in.
func conflictsOf(err error, wanted, live *unstructured.Unstructured) []rollout.FieldConflict {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var out []rollout.FieldConflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		conflict := rollout.FieldConflict{Field: cause.Field}
		if m := conflictText.FindStringSubmatch(cause.Message); m != nil {
			conflict.Manager, conflict.Subresource = m[1], m[2]
		}
		if live != nil {
			conflict = withValues(conflict, wanted, live)
		}
		out = append(out, conflict)
	}
	return out
}

// withValues shows both values of a field, unless they are secret or long.
func withValues(c rollout.FieldConflict, wanted, live *unstructured.Unstructured) rollout.FieldConflict {
	path := pathOf(live, c.Field)
	if path == nil {
		return c.Advise(false)
	}
	ours := getField(wanted.Object, path)
	theirs := getField(live.Object, path)
	if live.GetKind() != "Secret" {
		c.Wanted, c.Live = short(ours), short(theirs)
	}
	return c.Advise(isEmpty(ours) && !isEmpty(theirs))
}

// pathOf finds the path that the API server writes as a text.
func pathOf(live metav1.Object, text string) (found fieldpath.Path) {
	for _, entry := range live.GetManagedFields() {
		fields, err := fieldsOf(entry)
		if err != nil {
			continue
		}
		fields.Iterate(func(path fieldpath.Path) {
			if path.String() == text {
				found = path.Copy()
			}
		})
	}
	return found
}

const shortValue = 40

func short(v any) string {
	text, err := json.Marshal(v)
	if v == nil || err != nil || len(text) > shortValue {
		return ""
	}
	return string(text)
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// leaveFields drops, from what is about to be applied, the fields that are left
// to others and that others own. It reports whether there were any.
func leaveFields(wanted *unstructured.Unstructured, live metav1.Object, leave []fleet.FieldRef) bool {
	dropped := false
	for _, entry := range live.GetManagedFields() {
		fields, err := fieldsOf(entry)
		if err != nil || isOurs(entry) {
			continue
		}
		fields.Leaves().Iterate(func(path fieldpath.Path) {
			left := slices.ContainsFunc(leave, func(ref fleet.FieldRef) bool { return ref.Covers(path.String()) })
			if left && !isListKey(path) {
				dropped = removeField(wanted.Object, path) || dropped
			}
		})
	}
	return dropped
}

// isListKey reports whether a field is one by which its list tells items apart:
// without it there is no item.
func isListKey(path fieldpath.Path) bool {
	if len(path) < 2 || path[len(path)-2].Key == nil || path[len(path)-1].FieldName == nil {
		return false
	}
	return slices.ContainsFunc(*path[len(path)-2].Key, func(f value.Field) bool { return f.Name == *path[len(path)-1].FieldName })
}

// getField returns what a path selects, or nil.
func getField(node any, path fieldpath.Path) any {
	for _, element := range path {
		if element.FieldName != nil {
			object, ok := node.(map[string]any)
			if !ok {
				return nil
			}
			if node, ok = object[*element.FieldName]; !ok {
				return nil
			}
			continue
		}
		items, ok := node.([]any)
		at := slices.IndexFunc(items, func(item any) bool { return selects(element, item) })
		if !ok || at < 0 {
			return nil
		}
		node = items[at]
	}
	return node
}

// removeField deletes what a path selects and reports whether it was there.
func removeField(node any, path fieldpath.Path) bool {
	head, rest := path[0], path[1:]
	object, ok := node.(map[string]any)
	if !ok || head.FieldName == nil {
		return false
	}
	child, there := object[*head.FieldName]
	switch {
	case !there:
		return false
	case len(rest) == 0:
		delete(object, *head.FieldName)
		return true
	case rest[0].FieldName != nil:
		return removeField(child, rest)
	}
	items, ok := child.([]any)
	if !ok {
		return false
	}
	at := slices.IndexFunc(items, func(item any) bool { return selects(rest[0], item) })
	switch {
	case at < 0:
		return false
	case len(rest) > 1:
		return removeField(items[at], rest[1:])
	case len(items) == 1:
		delete(object, *head.FieldName)
	default:
		object[*head.FieldName] = slices.Delete(slices.Clone(items), at, at+1)
	}
	return true
}

// selects reports whether a path element means an item of a list.
func selects(element fieldpath.PathElement, item any) bool {
	if element.Value != nil {
		return value.Equals(*element.Value, value.NewValueInterface(item))
	}
	object, ok := item.(map[string]any)
	if !ok || element.Key == nil {
		return false
	}
	for _, field := range *element.Key {
		have, there := object[field.Name]
		if !there || !value.Equals(field.Value, value.NewValueInterface(have)) {
			return false
		}
	}
	return true
}
