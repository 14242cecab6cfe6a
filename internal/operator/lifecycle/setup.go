package lifecycle

import (
	"context"
	"fmt"
	"reflect"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// workers is how many objects of one kind are looked after at a time. A look
// waits for the API server most of its time.
const workers = 32

// What failed is tried again after a pause, which doubles.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Minute
)

// noticed are the changes of an object of ours that wake it up; those of its
// status are the operator's own.
var noticed = predicate.Or(
	predicate.GenerationChangedPredicate{},
	predicate.AnnotationChangedPredicate{},
	predicate.LabelChangedPredicate{},
)

// Setup runs a controller for each kind.
func Setup(mgr ctrl.Manager, operator *Operator, kinds []Kind) error {
	if err := index(mgr, operator, kinds); err != nil {
		return err
	}
	var counted []metrics.Source
	for _, kind := range kinds {
		if err := kind.setup(mgr, operator); err != nil {
			return fmt.Errorf("set up the controller %s: %w", kind.Name, err)
		}
		counted = append(counted, metrics.Source{Kind: kind.resourceType(mgr), List: kind.List, State: kind.State})
	}
	metrics.Count(operator.Client, counted)
	return nil
}

// resourceType is the kind's name in manifests.
func (k Kind) resourceType(mgr ctrl.Manager) string {
	gvk, err := apiutil.GVKForObject(k.Object, mgr.GetScheme())
	if err != nil {
		return k.Name
	}
	return gvk.Kind
}

func (k Kind) setup(mgr ctrl.Manager, operator *Operator) error {
	applier := &apply.Applier{Client: operator.Client, Live: operator.Live, Events: mgr.GetEventRecorder(k.Recorder)}
	build := ctrl.NewControllerManagedBy(mgr).
		Named(k.Name).
		For(k.newObject(), builder.WithPredicates(noticed)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstPause, longestPause),
			// Names are unique per process otherwise, and tests run several operators in one.
			SkipNameValidation: ptr.To(true),
		})
	for _, owned := range k.owned(operator) {
		build.Owns(owned)
	}
	if k.Watch != nil {
		k.Watch(operator, build)
	}
	if operator.Config.ClusterWide() {
		build.Watches(&coordinationv1.Lease{}, scope.Released(operator.Client, k.newList))
	}
	return build.Complete(&reconciler{kind: k, resourceType: k.resourceType(mgr), operator: operator, apply: applier, statuses: newStatuses(applier)})
}

// index lets an object's children be found by their owner, whatever has become of
// their labels, and what a kind wants to find besides.
func index(mgr ctrl.Manager, operator *Operator, kinds []Kind) error {
	indexed := map[reflect.Type]bool{}
	for _, kind := range kinds {
		if kind.Index != nil {
			if err := kind.Index(context.Background(), mgr.GetFieldIndexer()); err != nil {
				return fmt.Errorf("index what the controller %s finds: %w", kind.Name, err)
			}
		}
		for _, owned := range kind.owned(operator) {
			if indexed[reflect.TypeOf(owned)] {
				continue
			}
			indexed[reflect.TypeOf(owned)] = true
			if err := mgr.GetFieldIndexer().IndexField(context.Background(), owned, apply.OwnerIndex, ownerOf); err != nil {
				return fmt.Errorf("index %T by owner: %w", owned, err)
			}
		}
	}
	return nil
}

func ownerOf(object client.Object) []string {
	owner := metav1.GetControllerOf(object)
	if owner == nil {
		return nil
	}
	return []string{string(owner.UID)}
}

func (k Kind) owned(operator *Operator) []client.Object {
	if k.Owned == nil {
		return nil
	}
	return k.Owned(operator.Cluster)
}

func (k Kind) newObject() client.Object { return k.Object.DeepCopyObject().(client.Object) }

func (k Kind) newList() client.ObjectList { return k.List.DeepCopyObject().(client.ObjectList) }
