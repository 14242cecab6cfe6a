package lifecycle

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
)

// reconciler looks after the objects of one kind.
type reconciler struct {
	kind     Kind
	operator *Operator
	apply    *apply.Applier
	statuses *statuses
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
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
	return r.apply.ReleaseFinalizer(ctx, object)
}

// visit goes through the object's phases and writes its status, whatever
// became of them.
func (r *reconciler) visit(ctx context.Context, object client.Object) (ctrl.Result, error) {
	before := object.DeepCopyObject().(client.Object)
	visit := &Visit{Operator: r.operator, Apply: r.apply}
	life := r.kind.Begin(visit, object)
	known := headlines(life.Conditions())
	err := r.live(ctx, life, object)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil
	}
	shorten(life.Conditions())
	urgent := err != nil || headlines(life.Conditions()) != known
	wait, statusErr := r.statuses.write(ctx, before, object, urgent)
	if err := errors.Join(apply.Lasting(err), statusErr); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: sooner(wait, visit.again)}, nil
}

func (r *reconciler) live(ctx context.Context, life Life, object client.Object) error {
	err := r.validate(object)
	for _, phase := range life.Phases() {
		if err == nil {
			err = phase(ctx)
		}
	}
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		life.Failed(refusal.Reason, refusal.Message)
		return nil
	case err != nil:
		life.Failed("", err.Error())
	}
	return err
}

func (r *reconciler) validate(object client.Object) error {
	if r.kind.Validate == nil {
		return nil
	}
	if errs := r.kind.Validate(object); len(errs) > 0 {
		return Refuse(v1alpha1.ReasonValidationFailed, errs.ToAggregate().Error())
	}
	return nil
}
