package apply

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// tellWhoChanged tells the author of a graph that somebody else has changed an object
// of it, which is put back: two who undo each other's work for ever should be seen.
// live comes from the cache, which does not hold who wrote what.
func (a *Applier) tellWhoChanged(ctx context.Context, regarding, live, desired client.Object) error {
	kind, err := apiutil.GVKForObject(desired, a.Client.Scheme())
	if err != nil {
		return err
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	if err := a.Live.Get(ctx, client.ObjectKeyFromObject(live), object); err != nil {
		return client.IgnoreNotFound(err)
	}
	who, known := lastOther(object.ManagedFields)
	if !known {
		return nil
	}
	// Events of one reason about one object become one, with the first one's text.
	reason, how := "ChangedByAnother", "changed by %s, and is put back to what the graph says"
	if who.Subresource == "scale" {
		reason, how = "ScaledByAnother", "scaled by %s, and is put back to what the graph says: who scales a service does so through its DynamoGraphDeploymentScalingAdapter"
	}
	note := fmt.Sprintf("%s %s was "+how, kind.Kind, desired.GetName(), who.Manager)
	a.Events.Eventf(regarding, desired, corev1.EventTypeWarning, reason, "PutBack", "%s", plain.Text(note, longestNote))
	return nil
}

// lastOther is who has written an object since the operator has, its status apart.
// What came through the scale subresource has no time.
func lastOther(written []metav1.ManagedFieldsEntry) (last metav1.ManagedFieldsEntry, known bool) {
	var ours *metav1.Time
	for _, entry := range written {
		if entry.Manager == string(FieldManager) && entry.Subresource == "" {
			ours = entry.Time
		}
	}
	for _, entry := range written {
		switch {
		case entry.Manager == string(FieldManager) || entry.Subresource == "status":
		case entry.Time == nil:
			return entry, true
		case !entry.Time.Before(ours) && !entry.Time.Before(last.Time):
			last, known = entry, true
		}
	}
	return last, known
}
