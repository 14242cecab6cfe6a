package apply

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// StatusPatch is what turns the object before into after, nil if nothing does.
func StatusPatch(before, after client.Object) (client.Patch, error) {
	patch := client.MergeFrom(before)
	data, err := patch.Data(after)
	if err != nil {
		return nil, fmt.Errorf("compare the status of %s/%s: %w", after.GetNamespace(), after.GetName(), err)
	}
	if string(data) == "{}" {
		return nil, nil
	}
	return client.RawPatch(patch.Type(), data), nil
}

// Status writes a change of an object's status, and stores what the cluster
// then has in object.
func (a *Applier) Status(ctx context.Context, object client.Object, patch client.Patch) error {
	if err := a.Client.Status().Patch(ctx, object, patch, FieldManager); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %s: %w", a.describe(object), err)
	}
	return nil
}
