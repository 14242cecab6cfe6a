package component

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload/deployment"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload/leaderworkerset"
)

// workloads are what can run a component; the first that can does.
var workloads = []workload.Type{
	deployment.Type{},
	leaderworkerset.Type{},
}

// Kind is the kind DynamoComponentDeployment.
func Kind() lifecycle.Kind {
	return lifecycle.Kind{
		Name:      "component",
		Recorder:  "dynamocomponentdeployment",
		Resource:  "dynamocomponentdeployments",
		Finalizer: true,
		Object:    &v1alpha1.DynamoComponentDeployment{},
		List:      &v1alpha1.DynamoComponentDeploymentList{},
		Rights:    rights,
		Cached:    cached,
		Owned:     owned,
		Index:     workload.Index,
		Watch: func(operator *lifecycle.Operator, build *builder.Builder) {
			workload.Watch(operator.Client, build, componentOfPod)
		},
		Validate: func(object client.Object, cfg *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.Component(object.(*v1alpha1.DynamoComponentDeployment), cfg)
		},
		Admission: admission,
		Begin:     begin,
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoComponentDeployment).Status.Conditions, v1alpha1.ConditionAvailable)
		},
	}
}

func rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		lifecycle.Rule("", "services", lifecycle.Write...),
		lifecycle.Rule("networking.k8s.io", "ingresses", lifecycle.Full...),
		lifecycle.Rule("", "pods", lifecycle.Read...),
		lifecycle.Rule("", "events", "list", "watch"),
	}
	if cfg.Ingress.VirtualServiceGateway != "" {
		rules = append(rules, lifecycle.Rule(istio.GroupVersion.Group, "virtualservices", lifecycle.Full...))
	}
	if cfg.Ingress.HTTPRouteGateway != "" {
		rules = append(rules, lifecycle.Rule(gatewayapi.GroupVersion.Group, "httproutes", lifecycle.Full...))
	}
	for _, candidate := range workloads {
		rules = append(rules, candidate.Rights(cfg)...)
	}
	return rules
}

func cached(cluster render.Capabilities) map[client.Object]cache.ByObject {
	observed := lifecycle.Labelled(v1alpha1.LabelSelector)
	observed.Transform = workload.Observable
	limited := map[client.Object]cache.ByObject{&corev1.Pod{}: observed, &corev1.Event{}: workload.Warnings()}
	for _, kind := range owned(cluster) {
		limited[kind] = lifecycle.Ours()
	}
	return limited
}

func owned(cluster render.Capabilities) []client.Object {
	return append(replaceable(cluster), &corev1.Service{})
}

// replaceable are the kinds of which a component may have others than before.
func replaceable(cluster render.Capabilities) []client.Object {
	kinds := exposing(cluster)
	for _, candidate := range workloads {
		kinds = append(kinds, candidate.Kinds(cluster)...)
	}
	return kinds
}

// exposing are the kinds through which a component is reached from outside.
func exposing(cluster render.Capabilities) []client.Object {
	kinds := []client.Object{&networkingv1.Ingress{}}
	if cluster.VirtualServices {
		kinds = append(kinds, &istio.VirtualService{})
	}
	if cluster.HTTPRoutes {
		kinds = append(kinds, &gatewayapi.HTTPRoute{})
	}
	return kinds
}

func componentOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelSelector]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}
