package certs

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// Cached limits a cache to the objects that this package reads, by name.
func Cached(cfg config.Certificates) map[client.Object]cache.ByObject {
	named := func(name string) cache.ByObject {
		return cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
	}
	secret := named(cfg.SecretName)
	secret.Namespaces = map[string]cache.Config{cfg.Namespace: {}}
	if cfg.Source == config.CertificatesSecret {
		return map[client.Object]cache.ByObject{&corev1.Secret{}: secret}
	}
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: secret,
		&admissionv1.ValidatingWebhookConfiguration{}: named(cfg.ValidatingConfiguration),
		&admissionv1.MutatingWebhookConfiguration{}:   named(cfg.MutatingConfiguration),
	}
}

// Setup keeps the certificate for as long as the manager runs, in every
// replica, and returns what a server presents. The manager's cache must
// include Cached.
func Setup(mgr ctrl.Manager, cfg config.Certificates) (*Serving, error) {
	k := &keeper{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), config: cfg,
		clock: clock.RealClock{}, serving: &Serving{clock: clock.RealClock{}}, replica: string(uuid.NewUUID()),
	}
	it := reconcile.Request{}
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{it}
	})
	atStart := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(it)
		return nil
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("webhook-certificate").
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false), SkipNameValidation: ptr.To(true)}).
		WatchesRawSource(atStart).
		Watches(&corev1.Secret{}, all)
	if cfg.Source == config.CertificatesSelf {
		b = b.Watches(&admissionv1.ValidatingWebhookConfiguration{}, all).Watches(&admissionv1.MutatingWebhookConfiguration{}, all)
	}
	return k.serving, b.Complete(k)
}
