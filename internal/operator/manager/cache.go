package manager

import (
	"fmt"
	"maps"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Scheme knows the kinds that the operator reads and writes, and no others.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme,
		rbacv1.AddToScheme, coordinationv1.AddToScheme, admissionv1.AddToScheme, istio.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			// Only a type registered twice gets here, which no input can cause.
			panic(fmt.Sprintf("build the scheme: %v", err))
		}
	}
	return scheme
}

// cacheOptions keep the operator's memory to what it made: other workloads of
// the cluster are neither fetched nor watched.
func cacheOptions(cfg *config.OperatorConfiguration, cluster render.Capabilities) cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{render.ManagedByLabel: render.Manager})}
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:    ours,
			&corev1.Service{}:       ours,
			&networkingv1.Ingress{}: ours,
			&rbacv1.Role{}:          ours,
			&rbacv1.RoleBinding{}:   ours,
			&corev1.Pod{}:           {Label: hasLabel(v1alpha1.LabelSelector)},
			&coordinationv1.Lease{}: {Field: fields.OneTermEqualSelector("metadata.name", scope.MarkerName)},
		},
	}
	if cluster.VirtualServices {
		options.ByObject[&istio.VirtualService{}] = ours
	}
	if cfg.Server.Webhook.SelfManaged() {
		maps.Copy(options.ByObject, certs.Cached(cfg.Server.Webhook.Certificates))
	}
	if !cfg.ClusterWide() {
		options.DefaultNamespaces = map[string]cache.Config{cfg.Namespace.Restricted: {}}
	}
	return options
}

func hasLabel(key string) labels.Selector {
	requirement, err := labels.NewRequirement(key, selection.Exists, nil)
	if err != nil {
		return labels.Nothing()
	}
	return labels.NewSelector().Add(*requirement)
}
