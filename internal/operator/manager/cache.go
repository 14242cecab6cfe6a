package manager

import (
	"fmt"
	"maps"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Scheme knows the kinds that the operator reads and writes, and no others.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme,
		rbacv1.AddToScheme, coordinationv1.AddToScheme, admissionv1.AddToScheme, istio.AddToScheme, gatewayapi.AddToScheme,
		authorizationv1.AddToScheme, autoscalingv1.AddToScheme, batchv1.AddToScheme, lwsv1.AddToScheme, grove.AddToScheme, inferenceapi.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			// Only a type registered twice gets here, which no input can cause.
			panic(fmt.Sprintf("build the scheme: %v", err))
		}
	}
	return scheme
}

// cacheOptions are those of all the operator's life: the claims to namespaces,
// and the webhooks' certificate.
func cacheOptions(cfg *config.OperatorConfiguration) cache.Options {
	options := scopedCache(cfg)
	if cfg.Server.Webhook.ReadsSecret() {
		maps.Copy(options.ByObject, certs.Cached(cfg.Server.Webhook.Certificates))
	}
	return options
}

// kindsCache keeps the operator's memory to what it made: other workloads of
// the cluster are neither fetched nor watched.
func kindsCache(cfg *config.OperatorConfiguration, cluster render.Capabilities) cache.Options {
	options := scopedCache(cfg)
	for _, kind := range kinds.All() {
		if kind.Cached != nil {
			maps.Copy(options.ByObject, kind.Cached(cluster))
		}
	}
	return options
}

// keepAuthor strips the managed fields, which are half of an object, but for who wrote
// the spec of one in another version: messages about it are in the words of that one.
func keepAuthor(object any) (any, error) {
	meta, is := object.(client.Object)
	if !is || len(meta.GetManagedFields()) == 0 {
		return object, nil
	}
	author := conversion.Author(meta.GetManagedFields(), string(apply.FieldManager))
	meta.SetManagedFields(nil)
	if author != nil && author.APIVersion == v1beta1.GroupVersion.String() {
		meta.SetManagedFields([]metav1.ManagedFieldsEntry{*author})
	}
	return object, nil
}

func scopedCache(cfg *config.OperatorConfiguration) cache.Options {
	options := cache.Options{
		DefaultTransform: keepAuthor,
		ByObject: map[client.Object]cache.ByObject{
			&coordinationv1.Lease{}: {Field: fields.OneTermEqualSelector("metadata.name", scope.MarkerName)},
		},
	}
	if !cfg.ClusterWide() {
		options.DefaultNamespaces = map[string]cache.Config{cfg.Namespace.Restricted: {}}
	}
	return options
}
