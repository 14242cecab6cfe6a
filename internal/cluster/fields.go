package cluster

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// conflictError is a refused apply, field by field.
type conflictError struct{ fields []rollout.FieldConflict }

func (e *conflictError) Error() string {
	var parts []string
	for _, f := range e.fields {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, ", ")
}

// conflictText is how the API server says who owns a field.
var conflictText = regexp.MustCompile(`^conflict with "([^"]*)"(?: with subresource "([^"]*)")?`)

// conflicts lists the fields that others own, but for the managers that do not
// count. It is empty for an error that is no conflict of fields.
func conflicts(err error, ignored map[string]bool) []rollout.FieldConflict {
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
		if !ignored[conflict.Manager] || conflict.Subresource != "" {
			out = append(out, conflict)
		}
	}
	return out
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
