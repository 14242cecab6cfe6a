// Package apply brings the cluster to the rendered objects with as few writes
// as possible: an object is sent, by server-side apply, only when the rendering
// has changed or when the live object no longer has what was applied. The
// annotation nvidia.com/last-applied-hash records the rendering; comparing the
// live object with it finds changes made by hand.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// FieldManager owns the fields that the operator applies.
const FieldManager = client.FieldOwner("dynamo-operator")

// Applier writes on behalf of a controller.
type Applier struct {
	// Client reads from the cache, which holds only objects of the operator.
	Client client.Client
	// Live reads from the API server what is outside the cache: an object of the
	// same name as one that was to be created.
	Live client.Reader
	// Events tells the owner what was created, updated and deleted.
	Events events.EventRecorder
}

// NotOursError says that an object of the wanted name exists and belongs to
// somebody else.
type NotOursError struct{ Kind, Namespace, Name, Owner string }

func (e *NotOursError) Error() string {
	return fmt.Sprintf("%s %s/%s exists already and belongs to %s: delete it or choose another name",
		e.Kind, e.Namespace, e.Name, e.Owner)
}

// Refused reports whether the API server found an object invalid, cannot fit it into
// its kind's schema (which it calls an internal error), or somebody's webhook denied
// it: a change of the spec helps, and wakes its controller up. A right that is missing
// is another matter.
func Refused(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return false
	}
	said := answer.Status().Message
	return apierrors.IsInvalid(err) || strings.HasPrefix(said, "failed to create typed patch object ") ||
		strings.HasPrefix(said, "admission webhook ") && strings.Contains(said, " denied the request")
}

// Lasting keeps a controller from trying again what was Refused.
func Lasting(err error) error {
	if Refused(err) {
		return reconcile.TerminalError(err)
	}
	return err
}

// Apply makes the cluster have desired, and stores what the cluster then has
// in desired itself. The object is deleted together with its owner, and is
// refused with a NotOursError if it exists already and belongs to another one.
// desired must have its apiVersion and kind set.
func (a *Applier) Apply(ctx context.Context, owner, desired client.Object) error {
	if err := controllerutil.SetControllerReference(owner, desired, a.Client.Scheme()); err != nil {
		return fmt.Errorf("apply %s: %w", a.describe(desired), err)
	}
	return a.apply(ctx, owner, desired, true)
}

// ApplyShared is Apply for an object that several graphs share: it has no
// owner, and regarding is only told of the change.
func (a *Applier) ApplyShared(ctx context.Context, regarding, desired client.Object) error {
	return a.apply(ctx, regarding, desired, false)
}

func (a *Applier) apply(ctx context.Context, regarding, desired client.Object, owned bool) error {
	live, err := a.read(ctx, a.Client, desired)
	if err == nil && live == nil {
		live, err = a.createOrFind(ctx, regarding, desired)
	}
	if err == nil && live != nil {
		err = a.applyTo(ctx, regarding, live, desired, owned)
	}
	if err != nil {
		return fmt.Errorf("apply %s: %w", a.describe(desired), err)
	}
	return nil
}

// createOrFind creates what the cache does not have, or returns what is there outside
// of it.
func (a *Applier) createOrFind(ctx context.Context, regarding, desired client.Object) (client.Object, error) {
	err := a.writeIfDifferent(ctx, regarding, nil, desired)
	if !apierrors.IsConflict(err) {
		return nil, err
	}
	live, failed := a.read(ctx, a.Live, desired)
	if live == nil && failed == nil {
		return nil, err // it has gone since, and the next look creates
	}
	return live, failed
}

func (a *Applier) applyTo(ctx context.Context, regarding, live, desired client.Object, owned bool) error {
	if err := a.mayWrite(live, regarding, owned); err != nil {
		return err
	}
	if owned && !metav1.IsControlledBy(live, regarding) {
		if err := a.lives(ctx, regarding); err != nil {
			return err
		}
	}
	return a.writeIfDifferent(ctx, regarding, live, desired)
}

// noVersion is a resource version that no object has, as the counter is beyond it
// before the first is written. An apply with it creates, and is refused with a
// conflict where there is an object: nobody's is taken over in between.
const noVersion = "1"

func (a *Applier) writeIfDifferent(ctx context.Context, regarding, live, desired client.Object) error {
	rendered, err := rendering(desired)
	if err != nil {
		return err
	}
	if live != nil {
		same, err := upToDate(live, rendered)
		if err != nil {
			return err
		}
		if same {
			return convert(live, desired)
		}
		if live.GetAnnotations()[v1alpha1.AnnotationLastAppliedHash] == rendered.GetAnnotations()[v1alpha1.AnnotationLastAppliedHash] {
			if err := a.tellWhoChanged(ctx, regarding, live, desired); err != nil {
				return err
			}
		}
		if roleRefDiffers(live, desired) {
			if err := a.remove(ctx, live); err != nil {
				return err
			}
		}
	}
	if live == nil {
		rendered.SetResourceVersion(noVersion)
	}
	sent := client.ApplyConfigurationFromUnstructured(rendered)
	if err := a.Client.Apply(ctx, sent, FieldManager, client.ForceOwnership); err != nil {
		return err
	}
	if live == nil || live.GetResourceVersion() != rendered.GetResourceVersion() {
		a.report(regarding, desired, live == nil)
	}
	return convert(rendered, desired)
}

func (a *Applier) report(regarding, obj client.Object, created bool) {
	kind, action := a.kind(obj), "Update"
	if created {
		action = "Create"
	}
	a.Events.Eventf(regarding, obj, corev1.EventTypeNormal, action+kind, action, "%sd %s %s", action, kind, obj.GetName())
}

// CreateIfMissing creates an object that belongs to nobody and is never
// changed afterwards, such as a claim. One that exists already is left alone.
func (a *Applier) CreateIfMissing(ctx context.Context, regarding, obj client.Object) error {
	err := a.Client.Create(ctx, obj, FieldManager)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", a.describe(obj), err)
	}
	a.report(regarding, obj, true)
	return nil
}

// CreateOnce has an object made that belongs to nobody and that nobody can change,
// if there is none of its name. No more is read than whether it is there, and
// rights on this one name are enough.
func (a *Applier) CreateOnce(ctx context.Context, regarding client.Object, key client.ObjectKey, kind schema.GroupVersionKind, made func() (client.Object, error)) error {
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(kind)
	err := a.Live.Get(ctx, key, there)
	if apierrors.IsNotFound(err) {
		err = a.createOnce(ctx, regarding, made)
		if apierrors.IsInvalid(err) || apierrors.IsConflict(err) { // somebody was faster
			err = a.Live.Get(ctx, key, there)
		}
	}
	if err != nil {
		return fmt.Errorf("create %s %s: %w", kind.Kind, key, err)
	}
	return nil
}

func (a *Applier) createOnce(ctx context.Context, regarding client.Object, made func() (client.Object, error)) error {
	obj, err := made()
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := convert(obj, &fields); err != nil {
		return err
	}
	dropNulls(fields)
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields}), FieldManager); err != nil {
		return err
	}
	a.report(regarding, obj, true)
	return nil
}

// Ensure creates an object of owner's if there is none, and stores what the
// cluster then has in wanted. One that exists is left as it is: its content
// belongs to others, such as autoscalers.
func (a *Applier) Ensure(ctx context.Context, owner, wanted client.Object) error {
	live, err := a.read(ctx, a.Client, wanted)
	if err == nil && live == nil {
		live, err = a.read(ctx, a.Live, wanted)
	}
	if err == nil && live != nil {
		if err = a.mayWrite(live, owner, true); err == nil {
			err = convert(live, wanted)
		}
	}
	if err == nil && live == nil {
		err = a.create(ctx, owner, wanted)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", a.describe(wanted), err)
	}
	return nil
}

func (a *Applier) create(ctx context.Context, owner, wanted client.Object) error {
	if err := controllerutil.SetControllerReference(owner, wanted, a.Client.Scheme()); err != nil {
		return err
	}
	if err := a.Client.Create(ctx, wanted, FieldManager); err != nil {
		return err
	}
	a.report(owner, wanted, true)
	return nil
}

// read returns the object as from has it, nil when there is none.
func (a *Applier) read(ctx context.Context, from client.Reader, desired client.Object) (client.Object, error) {
	empty, err := a.Client.Scheme().New(desired.GetObjectKind().GroupVersionKind())
	if err != nil {
		return nil, err
	}
	live := empty.(client.Object)
	err = from.Get(ctx, client.ObjectKeyFromObject(desired), live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

func (a *Applier) remove(ctx context.Context, obj client.Object) error {
	uid := obj.GetUID()
	err := a.Client.Delete(ctx, obj, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	return client.IgnoreNotFound(err)
}

// ReleaseFinalizer lets an object go that another operator of this API has
// held.
func (a *Applier) ReleaseFinalizer(ctx context.Context, obj client.Object) error {
	before := obj.DeepCopyObject().(client.Object)
	if !controllerutil.RemoveFinalizer(obj, v1alpha1.Finalizer) {
		return nil
	}
	if err := a.Client.Patch(ctx, obj, client.MergeFrom(before), FieldManager); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer %s from %s: %w", v1alpha1.Finalizer, a.describe(obj), err)
	}
	return nil
}

// mayWrite protects objects that only happen to have the wanted name. One
// without an owner is taken over if the operator once made it; what is shared
// must be such a one.
func (a *Applier) mayWrite(live, owner client.Object, owned bool) error {
	if live.GetDeletionTimestamp() != nil {
		return fmt.Errorf("the previous one is still being deleted")
	}
	if owned && metav1.IsControlledBy(live, owner) {
		return nil
	}
	if owned && sameGraph(live, owner) {
		return nil
	}
	foreign := &NotOursError{Kind: a.kind(live), Namespace: live.GetNamespace(), Name: live.GetName(), Owner: "nobody"}
	if controller := metav1.GetControllerOf(live); controller != nil {
		foreign.Owner = controller.Kind + " " + controller.Name
		return foreign
	}
	if live.GetLabels()[render.ManagedByLabel] != render.Manager {
		return foreign
	}
	return nil
}

// lives asks the API server for the owner that an object is about to get. The
// cache may be behind: an object that gets an owner which has gone is deleted by
// the garbage collector, with its pods, although it was to be kept.
func (a *Applier) lives(ctx context.Context, owner client.Object) error {
	now := owner.DeepCopyObject().(client.Object)
	err := a.Live.Get(ctx, client.ObjectKeyFromObject(owner), now)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err != nil || now.GetUID() != owner.GetUID() || now.GetDeletionTimestamp() != nil {
		return fmt.Errorf("its owner, %s, is being deleted", a.describe(owner))
	}
	return nil
}

// sameGraph reports whether an object moves between a graph and a component of
// its own: the graph is run in another way than before, and what stays of it has
// the same name.
func sameGraph(live, owner client.Object) bool {
	was := metav1.GetControllerOf(live)
	if was == nil || live.GetLabels()[render.ManagedByLabel] != render.Manager {
		return false
	}
	switch owner := owner.(type) {
	case *v1alpha1.DynamoGraphDeployment:
		return was.Kind == v1alpha1.KindComponentDeployment && live.GetLabels()[v1alpha1.LabelGraphDeploymentName] == owner.Name
	case *v1alpha1.DynamoComponentDeployment:
		graph := metav1.GetControllerOf(owner)
		return graph != nil && graph.UID == was.UID
	}
	return false
}

// rendering is what is sent: the fields that were set, and the hash of them.
func rendering(obj client.Object) (*unstructured.Unstructured, error) {
	fields := map[string]any{}
	if err := convert(obj, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	dropNulls(fields)
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	rendered := &unstructured.Unstructured{Object: fields}
	annotations := rendered.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationLastAppliedHash] = hex.EncodeToString(sum[:])
	rendered.SetAnnotations(annotations)
	return rendered, nil
}

// dropNulls removes what a Go struct writes as null although nobody set it.
func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if item == nil {
				delete(v, key)
				continue
			}
			dropNulls(item)
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

func upToDate(live client.Object, rendered *unstructured.Unstructured) (bool, error) {
	fields := map[string]any{}
	if err := convert(live, &fields); err != nil {
		return false, err
	}
	wanted := make(map[string]any, len(rendered.Object))
	for key, value := range rendered.Object {
		if key != "apiVersion" && key != "kind" { // absent from objects of a typed cache
			wanted[key] = value
		}
	}
	return contains(fields, wanted), nil
}

// roleRefDiffers: the API lets nobody change what a binding refers to.
func roleRefDiffers(live, desired client.Object) bool {
	was, isBinding := live.(*rbacv1.RoleBinding)
	wanted, _ := desired.(*rbacv1.RoleBinding)
	return isBinding && was.RoleRef != wanted.RoleRef
}

// convert goes through JSON, the only form in which API types and untyped
// fields agree in every detail. What is in to is lost.
func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	if object, typed := to.(client.Object); typed {
		gvk := object.GetObjectKind().GroupVersionKind()
		defer object.GetObjectKind().SetGroupVersionKind(gvk)
		reflect.ValueOf(object).Elem().SetZero()
	}
	return json.Unmarshal(data, to)
}

func (a *Applier) kind(obj client.Object) string {
	gvk, err := apiutil.GVKForObject(obj, a.Client.Scheme())
	if err != nil {
		return "object"
	}
	return gvk.Kind
}

func (a *Applier) describe(obj client.Object) string {
	return fmt.Sprintf("%s %s/%s", a.kind(obj), obj.GetNamespace(), obj.GetName())
}
