package apply

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// releaseNamePath is the field that every Helm client writes.
var releaseNamePath = fieldpath.MakePathOrDie("metadata", "annotations", marks.ReleaseName)

// earlierWriters are the field managers whose fields become ours when a release
// or an object changes hands: the Helm client that wrote the release so far, by
// whatever name, and for an object without a release the kubectl that made it.
func earlierWriters(live metav1.Object) map[string]bool {
	out := map[string]bool{marks.FieldManager: true}
	released := marks.ReleaseOf(live).Name != ""
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource != "" {
			continue
		}
		fields, err := fieldsOf(entry)
		if !released && marks.ByHand(entry.Manager) || err == nil && fields.Has(releaseNamePath) {
			out[entry.Manager] = true
		}
	}
	return out
}

// isEarlier selects the entries of earlier writers, our own Apply excepted.
func isEarlier(entry metav1.ManagedFieldsEntry, earlier map[string]bool) bool {
	return entry.Subresource == "" && earlier[entry.Manager] && !isOurs(entry)
}

func isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == marks.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

func fieldsOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("fields of %s: %w", entry.Manager, err)
	}
	return set, nil
}

// migrationPatch moves the fields of earlier writers to our manager, so that
// the next apply removes those that the chart no longer has. It is a JSON patch
// that only fits this very version of the object; nil if there is nothing to
// move.
func migrationPatch(live metav1.Object) ([]byte, error) {
	earlier := earlierWriters(live)
	var kept []metav1.ManagedFieldsEntry
	merged, ours, moved := fieldpath.NewSet(), metav1.ManagedFieldsEntry{}, false
	for _, entry := range live.GetManagedFields() {
		if !isOurs(entry) && !isEarlier(entry, earlier) {
			kept = append(kept, entry)
			continue
		}
		fields, err := fieldsOf(entry)
		if err != nil {
			return nil, err
		}
		merged, moved = merged.Union(fields), moved || !isOurs(entry)
		if ours.Manager == "" || isOurs(entry) {
			ours = entry
		}
	}
	if !moved {
		return nil, nil
	}
	text, err := merged.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("fields of %s: %w", marks.FieldManager, err)
	}
	ours.Manager, ours.Operation, ours.FieldsV1 = marks.FieldManager, metav1.ManagedFieldsOperationApply, metav1.NewFieldsV1(string(text))
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": append(kept, ours)},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
}

// withoutAbandoned removes, from an object as it would be after a plain apply,
// the fields of earlier writers that nobody wants any more, as the server does
// once they are ours. It reports whether there were any.
func withoutAbandoned(live, after *unstructured.Unstructured, earlier map[string]bool) bool {
	had, kept := fieldpath.NewSet(), fieldpath.NewSet()
	for _, entry := range live.GetManagedFields() {
		if fields, err := fieldsOf(entry); err == nil && (isOurs(entry) || isEarlier(entry, earlier)) {
			had = had.Union(fields)
		}
	}
	for _, entry := range after.GetManagedFields() {
		if fields, err := fieldsOf(entry); err == nil && !isEarlier(entry, earlier) {
			kept = kept.Union(fields)
		}
	}
	gone := had.Difference(kept)
	removed := false
	gone.Iterate(func(path fieldpath.Path) {
		if !covers(kept, path) {
			removed = removeField(after.Object, path) || removed
		}
	})
	return removed
}

// covers reports whether a set has a field at or below a path.
func covers(set *fieldpath.Set, path fieldpath.Path) bool {
	last := len(path) - 1
	for _, element := range path[:last] {
		set = set.WithPrefix(element)
	}
	return set.Members.Has(path[last]) || !set.WithPrefix(path[last]).Empty()
}
