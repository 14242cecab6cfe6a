package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/metrics"
)

// nameAgain is how often a name that is taken is looked for: the caches have
// nothing of others, so nothing tells that it is free.
const nameAgain = 10 * time.Second

// reasonError is that of warnings about what is tried again.
const reasonError = "ReconcileError"

// reconciler looks after the objects of one kind.
type reconciler struct {
	kind Kind
	// resourceType is the kind's name in manifests.
	resourceType string

	operator *Operator
	apply    *apply.Applier
	statuses *statuses
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	began := time.Now()
	result, err := r.look(ctx, req)
	metrics.Looked(r.resourceType, req.Namespace, time.Since(began), result.RequeueAfter > 0, err)
	return result, err
}

func (r *reconciler) look(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	serves, wait, err := r.operator.Scope.Serves(ctx, req.Namespace)
	if err != nil || !serves {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	object := r.kind.newObject()
	if err := r.operator.Client.Get(ctx, req.NamespacedName, object); err != nil {
		r.statuses.forget(req.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if object.GetDeletionTimestamp() != nil {
		return ctrl.Result{}, r.release(ctx, object)
	}
	return r.visit(ctx, object)
}

func (r *reconciler) release(ctx context.Context, object client.Object) error {
	if !r.kind.Finalizer {
		return nil
	}
	if r.kind.Farewell != nil && controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
		if err := r.kind.Farewell(ctx, &Visit{Operator: r.operator, Apply: r.apply}, object); err != nil {
			return err
		}
	}
	return r.apply.ReleaseFinalizer(ctx, object)
}

// visit goes through the object's phases and writes its status, whatever
// became of them.
func (r *reconciler) visit(ctx context.Context, object client.Object) (ctrl.Result, error) {
	before := object.DeepCopyObject().(client.Object)
	visit := &Visit{Operator: r.operator, Apply: r.apply}
	life := r.kind.Begin(visit, object)
	known := slices.Clone(life.Conditions())
	err := r.live(ctx, life, object)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil
	}
	failed := report(life, err)
	speak(object, life.Conditions())
	shorten(life.Conditions())
	wait := patience(known, life.Conditions())
	if visit.unfinished && wait > 0 {
		wait = settleStart
	}
	if failed != nil {
		if life.Conditions() == nil || headlines(known) != headlines(life.Conditions()) {
			r.warn(object, failed)
		}
		wait = 0
	}
	if visit.urgent {
		wait = 0
	}
	wait, statusErr := r.statuses.write(ctx, before, object, wait)
	if taken(err) {
		visit.again = sooner(visit.again, nameAgain)
	}
	if err := errors.Join(again(err), statusErr); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: sooner(wait, visit.again)}, nil
}

// live goes through the phases until one fails.
func (r *reconciler) live(ctx context.Context, life Life, object client.Object) error {
	if err := r.validate(object); err != nil {
		return err
	}
	for _, phase := range life.Phases() {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciler) validate(object client.Object) error {
	if r.kind.Validate == nil {
		return nil
	}
	if errs, _ := r.kind.Validate(object, r.operator.Config); len(errs) > 0 {
		return Refuse(v1alpha1.ReasonValidationFailed, errs.ToAggregate().Error())
	}
	return nil
}

// report puts what stopped a life into its status.
func report(life Life, err error) *Refusal {
	var refusal *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		life.Failed(refusal.Reason, refusal.Message)
		return refusal
	}
	if taken(err) {
		err = fmt.Errorf("%w; looked for again every %s", err, nameAgain)
	}
	life.Failed("", err.Error())
	return &Refusal{Reason: reasonError, Message: err.Error()}
}

// taken reports whether an object of somebody else has a name that is wanted.
func taken(err error) bool {
	var notOurs *apply.NotOursError
	return errors.As(err, &notOurs)
}

// again is what is tried again at once and ever more slowly: neither a refusal,
// nor a name that is taken, nor what the API server found invalid.
func again(err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) || taken(err) {
		return nil
	}
	return apply.Lasting(err)
}

// warn tells of a failure as an event, which kubectl describe and alerts show.
// It is not told again until the reason changes.
func (r *reconciler) warn(object client.Object, failed *Refusal) {
	r.apply.Tell(object, corev1.EventTypeWarning, failed.Reason, "Reconcile", failed.Message)
}
