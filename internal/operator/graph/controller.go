// Package graph runs DynamoGraphDeployments: it turns a graph into one
// component per service, with the claims and the access that these need, and
// reports on them as one.
package graph

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// Controller reconciles graphs.
type Controller struct {
	Client  client.Client
	Apply   *apply.Applier
	Scope   scope.Scope
	Config  *config.OperatorConfiguration
	Cluster render.Capabilities
}

// Reconcile is the life of one graph: fetch, validate, render, apply, observe,
// and one write of its status if that has changed.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	serves, wait, err := c.Scope.Serves(ctx, req.Namespace)
	if err != nil || !serves {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if err := c.Client.Get(ctx, req.NamespacedName, dgd); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if dgd.DeletionTimestamp != nil {
		return ctrl.Result{}, c.Apply.ReleaseFinalizer(ctx, dgd)
	}
	before := dgd.DeepCopy()
	err = c.live(ctx, dgd)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, errors.Join(apply.Lasting(err), c.Apply.Status(ctx, before, dgd))
}

// live brings the graph one step on and writes what it saw into the status. An
// error is tried again; what only the user can change waits for his change.
func (c *Controller) live(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment) error {
	status := statusOf(dgd)
	if errs, _ := validate.Graph(dgd); len(errs) > 0 {
		status.failed(v1alpha1.ReasonValidationFailed, errs.ToAggregate().Error())
		return nil
	}
	if reason, err := c.unsupported(dgd); err != nil {
		status.failed(reason, err.Error())
		return nil
	}
	status.messaging(render.MissingNATS(dgd, c.Config.Infrastructure.NATSAddress))
	missing, err := c.ensureClaims(ctx, dgd)
	if err == nil && len(missing) > 0 {
		status.failed(reasonClaimMissing, missingClaims(missing))
		return nil
	}
	if err == nil {
		err = c.deploy(ctx, dgd, status)
	}
	if err != nil {
		// The services and the restart stay as last seen: an error says
		// nothing about them.
		status.failed(v1alpha1.ReasonReconcileFailed, err.Error())
	}
	return err
}

// unsupported refuses, before anything is created, what would end half-made.
func (c *Controller) unsupported(dgd *v1alpha1.DynamoGraphDeployment) (reason string, err error) {
	if err := render.CheckPathway(dgd, c.Cluster); err != nil {
		var unsupported *render.UnsupportedError
		if errors.As(err, &unsupported) && unsupported.Multinode {
			return v1alpha1.ReasonMultinodeNotAvailable, err
		}
		return reasonUnsupported, err
	}
	if render.HasPlanner(dgd) && c.Config.ClusterWide() && c.Config.RBAC.PlannerClusterRoleName == "" {
		return reasonUnsupported, errors.New("the graph has a planner, and the operator's configuration lacks rbac.plannerClusterRoleName")
	}
	return "", nil
}

// deploy applies all that the graph consists of, removes what it no longer
// consists of, and observes the result.
func (c *Controller) deploy(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment, status *graphStatus) error {
	pullSecrets, err := c.defaultPullSecrets(ctx, dgd.Namespace)
	if err != nil {
		return err
	}
	existing, err := c.components(ctx, dgd)
	if err != nil {
		return err
	}
	objects := render.Graph(dgd, c.Config, pullSecrets)
	dgd.Status.Restart = restart(dgd, existing, objects.Components)
	if err := c.applyAccess(ctx, dgd, objects); err != nil {
		return err
	}
	for _, component := range objects.Components {
		if err := c.Apply.Apply(ctx, dgd, component); err != nil {
			return err
		}
	}
	if err := c.pruneComponents(ctx, dgd, existing, objects.Components); err != nil {
		return err
	}
	status.observe(objects.Components)
	return nil
}

// components are the graph's children as the cluster has them.
func (c *Controller) components(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment) ([]v1alpha1.DynamoComponentDeployment, error) {
	var list v1alpha1.DynamoComponentDeploymentList
	err := c.Client.List(ctx, &list, client.InNamespace(dgd.Namespace), client.MatchingLabels{v1alpha1.LabelGraphDeploymentName: dgd.Name})
	if err != nil {
		return nil, fmt.Errorf("list the components of %s/%s: %w", dgd.Namespace, dgd.Name, err)
	}
	return list.Items, nil
}

func (c *Controller) pruneComponents(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment, existing []v1alpha1.DynamoComponentDeployment, wanted []*v1alpha1.DynamoComponentDeployment) error {
	keep := map[string]bool{}
	for _, component := range wanted {
		keep[component.Name] = true
	}
	objects := make([]client.Object, len(existing))
	for i := range existing {
		objects[i] = &existing[i]
	}
	return c.Apply.Prune(ctx, dgd, objects, keep)
}

func missingClaims(names []string) string {
	subject := "PersistentVolumeClaim " + names[0] + " does"
	if len(names) > 1 {
		subject = "PersistentVolumeClaims " + strings.Join(names, ", ") + " do"
	}
	return subject + " not exist: create it, or set create: true with size, storageClass and volumeAccessMode in spec.pvcs"
}
