package certs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

const (
	// afterConflict is the pause before another look at what a faster replica wrote.
	afterConflict = 200 * time.Millisecond
	// untilService is the pause while the Service does not exist.
	untilService = time.Second
	// longestWait makes up for clocks that jump.
	longestWait = 12 * time.Hour
)

var (
	errNoSecret  = errors.New("there is no Secret")
	errNoService = errors.New("there is no webhook Service")
)

// keeper keeps the Secret, the webhook configurations and the certificate that
// is served in agreement. It is a reconciler of one thing, so its requests say
// nothing.
type keeper struct {
	// client reads the Secret and the configurations from a cache of just those.
	client client.Client
	// live reads without a cache.
	live    client.Reader
	config  config.Certificates
	clock   clock.PassiveClock
	serving *Serving
	// replica is different in every process.
	replica string
}

// Reconcile implements reconcile.Reconciler.
func (k *keeper) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := k.clock.Now()
	again, err := k.keep(ctx, now)
	switch {
	case apierrors.IsConflict(err):
		// Another replica was faster, or our cache is a little behind.
		return ctrl.Result{RequeueAfter: afterConflict}, nil
	case errors.Is(err, errNoService):
		// Not installed yet, or uninstalled already.
		log.FromContext(ctx).Info("waiting for the webhook Service", "service", k.config.ServiceName)
		return ctrl.Result{RequeueAfter: untilService}, nil
	case err != nil:
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: min(max(again.Sub(now), afterConflict), longestWait)}, nil
}

func (k *keeper) keep(ctx context.Context, now time.Time) (again time.Time, err error) {
	secret, stored, problem, err := k.read(ctx)
	if err != nil {
		return again, err
	}
	if k.config.Source == config.CertificatesSecret {
		return k.follow(now, stored, problem)
	}
	p, err := certs.Next(stored, problem, k.serving.known(), k.config.DNSName(), now, k.config.Validity.Duration)
	if err != nil {
		return again, err
	}
	if p.Why != "" {
		if err := k.write(ctx, secret, p.Use); err != nil {
			return again, err
		}
		log.FromContext(ctx).Info("wrote the webhook certificate", "secret", k.config.SecretName, "because", p.Why, "expires", p.Use.Expiry())
	}
	if err := k.trust(ctx, p.Use.Bundle()); err != nil {
		return again, err
	}
	k.serving.offer(p.Use)
	ReportExpiry(p.Use.Expiry())
	return p.Again, nil
}

// follow serves what somebody else wrote into the Secret. Whoever did so has the
// authority trusted before, and a Secret that is gone or damaged changes nothing.
func (k *keeper) follow(now time.Time, stored *certs.Material, problem error) (again time.Time, err error) {
	switch {
	case problem != nil && k.serving.known() != nil, errors.Is(problem, errNoSecret):
		return now.Add(longestWait), nil
	case problem != nil:
		return again, fmt.Errorf("certificate in Secret %s/%s: %w", k.config.Namespace, k.config.SecretName, problem)
	}
	k.serving.offer(stored)
	ReportExpiry(stored.Expiry())
	return now.Add(longestWait), nil
}

// read returns the Secret, nil if there is none, and what it holds.
func (k *keeper) read(ctx context.Context) (secret *corev1.Secret, stored *certs.Material, problem, err error) {
	secret = &corev1.Secret{}
	err = k.client.Get(ctx, client.ObjectKey{Namespace: k.config.Namespace, Name: k.config.SecretName}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil, errNoSecret, nil
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read Secret %s/%s: %w", k.config.Namespace, k.config.SecretName, err)
	}
	stored, problem = certs.Parse(secret.Data)
	if problem != nil {
		problem = fmt.Errorf("the Secret cannot be used: %w", problem)
	}
	return secret, stored, problem, nil
}

// write never overwrites what this replica has not seen.
func (k *keeper) write(ctx context.Context, secret *corev1.Secret, m *certs.Material) error {
	if secret == nil {
		return k.create(ctx, m)
	}
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, m.Data())
	if err := k.client.Update(ctx, secret, apply.FieldManager); err != nil {
		return fmt.Errorf("update Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}

// create applies under a field manager of this process, without force: where
// two replicas create, the second one meets a conflict. Unlike a plain create,
// an apply can be allowed for one name only.
func (k *keeper) create(ctx context.Context, m *certs.Material) error {
	service := &corev1.Service{}
	err := k.live.Get(ctx, client.ObjectKey{Namespace: k.config.Namespace, Name: k.config.ServiceName}, service)
	if apierrors.IsNotFound(err) {
		return errNoService
	}
	if err != nil {
		return fmt.Errorf("read the webhook Service %s/%s, which is to own Secret %s: %w", k.config.Namespace, k.config.ServiceName, k.config.SecretName, err)
	}
	secret := corev1ac.Secret(k.config.SecretName, k.config.Namespace).
		WithType(corev1.SecretTypeTLS).
		WithData(m.Data()).
		WithLabels(ownerLabels(service)).
		// Uninstalling leaves no key behind.
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion("v1").WithKind("Service").WithName(service.Name).WithUID(service.UID))
	if err := k.client.Apply(ctx, secret, client.FieldOwner(string(apply.FieldManager)+"-"+k.replica)); err != nil {
		return fmt.Errorf("create Secret %s/%s: %w", k.config.Namespace, k.config.SecretName, err)
	}
	return nil
}

// ownerLabels are those labels of the Service that tell whose it is.
func ownerLabels(service *corev1.Service) map[string]string {
	labels := map[string]string{}
	for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "nvidia.com/dynamo-operator-namespace"} {
		if value, ok := service.Labels[key]; ok {
			labels[key] = value
		}
	}
	return labels
}
