package adapter

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Kind is the kind DynamoGraphDeploymentScalingAdapter.
func Kind() lifecycle.Kind {
	return lifecycle.Kind{
		Name:     "adapter",
		Recorder: "dgdscalingadapter",
		Resource: "dynamographdeploymentscalingadapters",
		Object:   &v1alpha1.DynamoGraphDeploymentScalingAdapter{},
		List:     &v1alpha1.DynamoGraphDeploymentScalingAdapterList{},
		Rights: func(*config.OperatorConfiguration) []rbacv1.PolicyRule {
			return []rbacv1.PolicyRule{lifecycle.Rule(v1alpha1.GroupName, "dynamographdeployments", "patch")}
		},
		// The graph's status has the replicas that there are.
		Watch: func(operator *lifecycle.Operator, build *builder.Builder) {
			build.Watches(&v1alpha1.DynamoGraphDeployment{}, handler.EnqueueRequestsFromMapFunc(finder{operator.Client}.ofGraph))
		},
		Validate: func(object client.Object, _ *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.ScalingAdapter(object.(*v1alpha1.DynamoGraphDeploymentScalingAdapter)), nil
		},
		Begin: begin,
		State: func(object client.Object) (state, reason string) {
			if status := object.(*v1alpha1.DynamoGraphDeploymentScalingAdapter).Status; status.Selector != "" && status.Replicas > 0 {
				return "ready", ""
			}
			return "not_ready", ""
		},
	}
}

type finder struct{ client.Reader }

// ofGraph are the adapters that name a graph, made by the operator or by hand.
func (f finder) ofGraph(ctx context.Context, graph client.Object) []reconcile.Request {
	var list v1alpha1.DynamoGraphDeploymentScalingAdapterList
	if err := f.List(ctx, &list, client.InNamespace(graph.GetNamespace())); err != nil {
		log.FromContext(ctx).Error(err, "cannot list scaling adapters", "namespace", graph.GetNamespace())
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.DGDRef.Name == graph.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
