package apply

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// OwnerIndex is the index of the caches by the UID of an object's controller.
const OwnerIndex = "controllerUID"

// Sync makes wanted, in this order, all that owner has of these kinds: it
// applies each object and deletes what else owner controls of them. A wanted
// object of another kind is applied like the others.
func (a *Applier) Sync(ctx context.Context, owner client.Object, wanted []client.Object, kinds ...client.Object) error {
	for _, object := range wanted {
		if err := a.Apply(ctx, owner, object); err != nil {
			return err
		}
	}
	return a.Prune(ctx, owner, wanted, kinds...)
}

// Prune deletes what owner controls of these kinds besides wanted.
func (a *Applier) Prune(ctx context.Context, owner client.Object, wanted []client.Object, kinds ...client.Object) error {
	existing, err := a.Children(ctx, owner, kinds...)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, object := range wanted {
		keep[a.describe(object)] = true
	}
	for _, object := range existing {
		if keep[a.describe(object)] || object.GetDeletionTimestamp() != nil {
			continue
		}
		if err := a.remove(ctx, object); err != nil {
			return fmt.Errorf("delete %s: %w", a.describe(object), err)
		}
		kind := a.kind(object)
		a.Events.Eventf(owner, object, corev1.EventTypeNormal, "Delete"+kind, "Delete", "Deleted %s %s", kind, object.GetName())
	}
	return nil
}

// Children are the objects of these kinds that owner controls, as the caches
// have them. Their kinds must be among those that the owner's kind owns.
func (a *Applier) Children(ctx context.Context, owner client.Object, kinds ...client.Object) ([]client.Object, error) {
	var children []client.Object
	for _, kind := range kinds {
		list, err := a.listOf(kind)
		if err != nil {
			return nil, err
		}
		err = a.Client.List(ctx, list, client.InNamespace(owner.GetNamespace()), client.MatchingFields{OwnerIndex: string(owner.GetUID())})
		if err != nil {
			return nil, fmt.Errorf("list each %s of %s: %w", a.kind(kind), a.describe(owner), err)
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			if child, ok := item.(client.Object); ok && metav1.IsControlledBy(child, owner) {
				children = append(children, child)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list each %s of %s: %w", a.kind(kind), a.describe(owner), err)
		}
	}
	return children, nil
}

func (a *Applier) listOf(kind client.Object) (client.ObjectList, error) {
	gvk, err := apiutil.GVKForObject(kind, a.Client.Scheme())
	if err != nil {
		return nil, fmt.Errorf("the kind of %T: %w", kind, err)
	}
	list, err := a.Client.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		return nil, fmt.Errorf("a list of %s: %w", gvk.Kind, err)
	}
	return list.(client.ObjectList), nil
}
