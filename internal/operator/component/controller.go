// Package component runs DynamoComponentDeployments: one part of a graph each,
// or written by hand.
package component

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// askEventsAgain is how often the events of a pod are read whose own status
// does not say why it is not ready. Nothing is watched for: a watch on all
// events would cost every cluster more than this costs one with a stuck pod.
const askEventsAgain = 15 * time.Second

// Controller reconciles components.
type Controller struct {
	Client  client.Client
	Live    client.Reader
	Apply   *apply.Applier
	Scope   scope.Scope
	Config  *config.OperatorConfiguration
	Cluster render.Capabilities
}

// Reconcile is the life of one component: fetch, validate, render, apply,
// observe, and one write of its status if that has changed.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	serves, wait, err := c.Scope.Serves(ctx, req.Namespace)
	if err != nil || !serves {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	dcd := &v1alpha1.DynamoComponentDeployment{}
	if err := c.Client.Get(ctx, req.NamespacedName, dcd); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if dcd.DeletionTimestamp != nil {
		return ctrl.Result{}, c.Apply.ReleaseFinalizer(ctx, dcd)
	}
	before := dcd.DeepCopy()
	result, err := c.live(ctx, dcd)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil
	}
	return result, errors.Join(apply.Lasting(err), c.Apply.Status(ctx, before, dcd))
}

// live brings the component one step on and writes what it saw into the status.
func (c *Controller) live(ctx context.Context, dcd *v1alpha1.DynamoComponentDeployment) (ctrl.Result, error) {
	status := statusOf(dcd)
	if errs, _ := validate.Component(dcd); len(errs) > 0 {
		status.invalid(errs.ToAggregate().Error())
		return ctrl.Result{}, nil
	}
	status.valid()
	if err := render.CheckService(dcd.Name, &dcd.Spec.DynamoComponentDeploymentSharedSpec, c.Cluster); err != nil {
		status.notAvailable(reasonUnsupported, err.Error())
		return ctrl.Result{}, nil
	}
	objects, err := render.Component(dcd, c.Config)
	if err == nil {
		err = c.applyAll(ctx, dcd, objects)
	}
	if err != nil {
		status.notAvailable(v1alpha1.ReasonReconciling, err.Error())
		return ctrl.Result{}, err
	}
	return c.observe(ctx, status, objects)
}

func (c *Controller) applyAll(ctx context.Context, dcd *v1alpha1.DynamoComponentDeployment, objects *render.ComponentObjects) error {
	if err := c.Apply.Apply(ctx, dcd, objects.Service); err != nil {
		return err
	}
	if err := c.Apply.Apply(ctx, dcd, objects.Deployment); err != nil {
		return err
	}
	if err := c.applyIngress(ctx, dcd, objects.Ingress); err != nil {
		return err
	}
	if !c.Cluster.VirtualServices {
		return nil
	}
	return c.applyVirtualService(ctx, dcd, objects.VirtualService)
}
