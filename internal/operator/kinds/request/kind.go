package request

import (
	"cmp"
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Kind is the kind DynamoGraphDeploymentRequest.
func Kind() lifecycle.Kind {
	return lifecycle.Kind{
		Name:      "request",
		Recorder:  "dynamographdeploymentrequest",
		Resource:  "dynamographdeploymentrequests",
		Finalizer: true,
		Object:    &v1alpha1.DynamoGraphDeploymentRequest{},
		List:      &v1alpha1.DynamoGraphDeploymentRequestList{},
		Rights:    rights,
		Cached: func(render.Capabilities) map[client.Object]cache.ByObject {
			return map[client.Object]cache.ByObject{&batchv1.Job{}: lifecycle.Ours()}
		},
		Owned: func(render.Capabilities) []client.Object { return []client.Object{&batchv1.Job{}} },
		Watch: func(_ *lifecycle.Operator, build *builder.Builder) {
			build.
				Watches(&v1alpha1.DynamoGraphDeployment{}, handler.EnqueueRequestsFromMapFunc(ofGraph)).
				Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofPod))
		},
		Validate: func(object client.Object, cfg *config.OperatorConfiguration) (field.ErrorList, []string) {
			r := object.(*v1alpha1.DynamoGraphDeploymentRequest)
			// What has begun goes on by what it was begun with.
			if started(r) {
				return nil, nil
			}
			return validate.Request(r, cfg)
		},
		Admission: lifecycle.Admission{Refuse: refuse, Needs: needs},
		Begin: func(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
			r := object.(*v1alpha1.DynamoGraphDeploymentRequest)
			return &life{Visit: visit, request: r, spec: &r.Spec}
		},
		State: func(object client.Object) (state, reason string) {
			status := object.(*v1alpha1.DynamoGraphDeploymentRequest).Status
			return cmp.Or(string(status.State), "unknown"), latest(status.Conditions)
		},
	}
}

// rights: graphs are made, the profiler's results are taken and their ConfigMaps
// handed on. To watch ConfigMaps is not among them.
func rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		lifecycle.Rule("batch", "jobs", "get", "list", "watch", "create"),
		lifecycle.Rule("", "configmaps", "get", "create", "patch"),
		lifecycle.Rule(v1alpha1.GroupName, "dynamographdeployments", "create"),
	}
	if !cfg.ClusterWide() {
		return rules
	}
	rules = append(rules,
		lifecycle.Rule("", "nodes", "list"),
		// May this namespace make graphs in another one?
		lifecycle.Rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
	)
	if role := cfg.RBAC.DGDRProfilingClusterRoleName; role != "" {
		rules = append(rules, lifecycle.Named(lifecycle.Rule(rbacv1.GroupName, "clusterroles", "bind"), role))
	}
	return rules
}

// refuse: what has been started is not changed.
func refuse(w lifecycle.Writing) field.ErrorList {
	old, isUpdate := w.Old.(*v1alpha1.DynamoGraphDeploymentRequest)
	if !isUpdate || !started(old) {
		return nil
	}
	return validate.RequestUpdate(old, w.Object.(*v1alpha1.DynamoGraphDeploymentRequest))
}

func needs(w lifecycle.Writing) []validate.Right {
	return validate.RequestRights(w.Object.(*v1alpha1.DynamoGraphDeploymentRequest), w.Config)
}

// ofGraph is the request that a graph was made for.
func ofGraph(_ context.Context, graph client.Object) []reconcile.Request {
	name, namespace := graph.GetLabels()[v1alpha1.LabelRequestName], graph.GetLabels()[v1alpha1.LabelRequestNamespace]
	if name == "" || namespace == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// ofPod is the request whose Job runs in a pod.
func ofPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()["dgdr"]
	if name == "" || pod.GetLabels()[v1alpha1.LabelSelector] != render.ProfilingPods(name) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}
