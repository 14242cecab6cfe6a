package graph

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Setup registers the controller: changes of a graph's spec and annotations,
// of what it owns, of the claims it uses and of the ServiceAccounts it shares
// wake it up.
func (c *Controller) Setup(mgr ctrl.Manager, options controller.Options) error {
	build := ctrl.NewControllerManagedBy(mgr).
		Named("graph").
		For(&v1alpha1.DynamoGraphDeployment{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{},
		))).
		Owns(&v1alpha1.DynamoComponentDeployment{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		WatchesMetadata(claimObject(), handler.EnqueueRequestsFromMapFunc(c.graphsWithClaim)).
		Watches(&corev1.ServiceAccount{}, handler.EnqueueRequestsFromMapFunc(c.graphsSharing)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(c.graphsSharing)).
		WithOptions(options)
	if c.Config.ClusterWide() {
		build.Watches(&coordinationv1.Lease{}, scope.Released(c.Client, func() client.ObjectList {
			return &v1alpha1.DynamoGraphDeploymentList{}
		}))
	}
	return build.Complete(c)
}

func (c *Controller) graphsWithClaim(ctx context.Context, claim client.Object) []reconcile.Request {
	return c.graphsWhere(ctx, claim.GetNamespace(), func(dgd *v1alpha1.DynamoGraphDeployment) bool {
		for _, pvc := range dgd.Spec.PVCs {
			if pvc.Name == claim.GetName() {
				return true
			}
		}
		return false
	})
}

// graphsSharing: the default ServiceAccount matters to all graphs of its
// namespace, the planner's access to those with a planner.
func (c *Controller) graphsSharing(ctx context.Context, obj client.Object) []reconcile.Request {
	switch obj.GetName() {
	case "default":
		return c.graphsWhere(ctx, obj.GetNamespace(), func(*v1alpha1.DynamoGraphDeployment) bool { return true })
	case render.PlannerServiceAccount, render.PlannerRoleBinding:
		return c.graphsWhere(ctx, obj.GetNamespace(), render.HasPlanner)
	}
	return nil
}

func (c *Controller) graphsWhere(ctx context.Context, namespace string, concerned func(*v1alpha1.DynamoGraphDeployment) bool) []reconcile.Request {
	var list v1alpha1.DynamoGraphDeploymentList
	if err := c.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		log.FromContext(ctx).Error(err, "cannot list graphs", "namespace", namespace)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
