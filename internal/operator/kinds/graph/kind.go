package graph

import (
	"cmp"
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway/components"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// pathways are the ways to run a graph; render.PathwayOf decides.
var pathways = []pathway.Pathway{
	components.Pathway{},
	grove.Pathway{},
}

// Kind is the kind DynamoGraphDeployment.
func Kind() lifecycle.Kind {
	return lifecycle.Kind{
		Name:      "graph",
		Recorder:  "dynamographdeployment",
		Resource:  "dynamographdeployments",
		Finalizer: true,
		Object:    &v1alpha1.DynamoGraphDeployment{},
		List:      &v1alpha1.DynamoGraphDeploymentList{},
		Rights:    rights,
		Cached:    cached,
		Owned:     owned,
		Watch:     watch,
		Validate: func(object client.Object, cfg *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.Graph(object.(*v1alpha1.DynamoGraphDeployment), cfg)
		},
		Admission: admission,
		Begin:     begin,
		State: func(object client.Object) (state, reason string) {
			status := object.(*v1alpha1.DynamoGraphDeployment).Status
			_, reason = lifecycle.ReadyOrNot(status.Conditions, v1alpha1.ConditionReady)
			return cmp.Or(string(status.State), "unknown"), reason
		},
	}
}

func rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		lifecycle.Rule("", "serviceaccounts", lifecycle.Full...),
		lifecycle.Rule(rbacv1.GroupName, "roles", lifecycle.Full...),
		lifecycle.Rule(rbacv1.GroupName, "rolebindings", lifecycle.Full...),
		// Their content belongs to who scales.
		lifecycle.Rule(v1alpha1.GroupName, "dynamographdeploymentscalingadapters", "get", "list", "watch", "create", "delete"),
		// Claims are created and then left alone.
		lifecycle.Rule("", "persistentvolumeclaims", "get", "list", "watch", "create"),
	}
	// Nobody may grant what he has not got.
	rules = append(rules, render.DiscoveryRules()...)
	if cfg.Checkpoint.Enabled {
		rules = append(rules, lifecycle.Rule(v1alpha1.GroupName, "dynamocheckpoints", "create"))
	}
	if planner := cfg.RBAC.PlannerClusterRoleName; planner != "" && cfg.ClusterWide() {
		// To bind this one role without holding its rights.
		rules = append(rules, lifecycle.Named(lifecycle.Rule(rbacv1.GroupName, "clusterroles", "bind"), planner))
	}
	rules = append(rules, pickerRights(cfg)...)
	for _, way := range pathways {
		rules = append(rules, way.Rights(cfg)...)
	}
	return rules
}

func cached(cluster render.Capabilities) map[client.Object]cache.ByObject {
	limited := map[client.Object]cache.ByObject{
		&rbacv1.Role{}:        lifecycle.Ours(),
		&rbacv1.RoleBinding{}: lifecycle.Ours(),
	}
	for _, kind := range pickerKinds(cluster) {
		limited[kind] = lifecycle.Ours()
	}
	for _, way := range pathways {
		maps.Copy(limited, way.Cached(cluster))
	}
	return limited
}

// accessKinds are what the pods' access consists of; it is taken back from the
// bindings on.
func accessKinds() []client.Object {
	return []client.Object{&rbacv1.RoleBinding{}, &rbacv1.Role{}, &corev1.ServiceAccount{}}
}

func owned(cluster render.Capabilities) []client.Object {
	kinds := append(accessKinds(), &v1alpha1.DynamoGraphDeploymentScalingAdapter{})
	kinds = append(kinds, pickerKinds(cluster)...)
	for _, way := range pathways {
		kinds = append(kinds, way.Kinds(cluster)...)
	}
	return kinds
}

// pickerKinds are what an endpoint picker has of its own, besides a ConfigMap: those
// are written and read one by one.
func pickerKinds(cluster render.Capabilities) []client.Object {
	if !cluster.InferencePools {
		return nil
	}
	return []client.Object{&inferenceapi.InferencePool{}}
}

func pickerRights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	if !cfg.Orchestrators.InferencePool.Enabled {
		return nil
	}
	rules := []rbacv1.PolicyRule{
		lifecycle.Rule(inferenceapi.GroupVersion.Group, "inferencepools", lifecycle.Full...),
		lifecycle.Rule("", "configmaps", "get", "create", "patch"),
	}
	if picker := cfg.RBAC.EPPClusterRoleName; picker != "" && cfg.ClusterWide() {
		rules = append(rules, lifecycle.Named(lifecycle.Rule(rbacv1.GroupName, "clusterroles", "bind"), picker))
	}
	return rules
}

// watch: the claims that a graph uses and the ServiceAccounts that it shares
// wake it up.
func watch(operator *lifecycle.Operator, build *builder.Builder) {
	graphs := finder{operator.Client}
	build.
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(graphs.withClaim)).
		Watches(&corev1.ServiceAccount{}, handler.EnqueueRequestsFromMapFunc(graphs.sharing)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(graphs.sharing)).
		Watches(&v1alpha1.DynamoCheckpoint{}, handler.EnqueueRequestsFromMapFunc(graphs.meaning))
	if operator.Cluster.Checkpoints {
		build.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(graphs.startedFrom))
	}
	for _, way := range pathways {
		way.Watch(operator.Client, operator.Cluster, build)
	}
}

// finder finds the graphs that an object concerns.
type finder struct{ client.Reader }

func (f finder) withClaim(ctx context.Context, claim client.Object) []reconcile.Request {
	return f.where(ctx, claim.GetNamespace(), func(dgd *v1alpha1.DynamoGraphDeployment) bool {
		for _, pvc := range dgd.Spec.PVCs {
			if pvc.Name == claim.GetName() {
				return true
			}
		}
		return false
	})
}

// sharing: the default ServiceAccount matters to all graphs of its namespace,
// the access of planners and of endpoint pickers to those that have one.
func (f finder) sharing(ctx context.Context, obj client.Object) []reconcile.Request {
	switch obj.GetName() {
	case "default":
		return f.where(ctx, obj.GetNamespace(), func(*v1alpha1.DynamoGraphDeployment) bool { return true })
	case render.PlannerServiceAccount, render.PlannerRoleBinding:
		return f.where(ctx, obj.GetNamespace(), render.HasPlanner)
	case render.PickerServiceAccount, render.PickerRoleBinding:
		return f.where(ctx, obj.GetNamespace(), render.HasPicker)
	}
	return nil
}

func (f finder) where(ctx context.Context, namespace string, concerned func(*v1alpha1.DynamoGraphDeployment) bool) []reconcile.Request {
	var list v1alpha1.DynamoGraphDeploymentList
	if err := f.List(ctx, &list, client.InNamespace(namespace)); err != nil {
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
