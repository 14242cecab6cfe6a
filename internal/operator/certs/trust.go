package certs

import (
	"bytes"
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
)

// trust writes the bundle into every webhook of the two configurations. A
// configuration that does not exist needs nothing: its creation is watched.
func (k *keeper) trust(ctx context.Context, bundle []byte) error {
	validating := &admissionv1.ValidatingWebhookConfiguration{}
	err := k.edit(ctx, k.config.ValidatingConfiguration, validating, func() bool {
		changed := false
		for i := range validating.Webhooks {
			changed = setBundle(&validating.Webhooks[i].ClientConfig, bundle) || changed
		}
		return changed
	})
	if err != nil {
		return err
	}
	mutating := &admissionv1.MutatingWebhookConfiguration{}
	return k.edit(ctx, k.config.MutatingConfiguration, mutating, func() bool {
		changed := false
		for i := range mutating.Webhooks {
			changed = setBundle(&mutating.Webhooks[i].ClientConfig, bundle) || changed
		}
		return changed
	})
}

func setBundle(c *admissionv1.WebhookClientConfig, bundle []byte) (changed bool) {
	if bytes.Equal(c.CABundle, bundle) {
		return false
	}
	c.CABundle = bundle
	return true
}

// edit reads a configuration, changes it and sends the difference, which the
// API server takes only if nobody was faster.
func (k *keeper) edit(ctx context.Context, name string, configuration client.Object, change func() bool) error {
	err := k.client.Get(ctx, client.ObjectKey{Name: name}, configuration)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read webhook configuration %s: %w", name, err)
	}
	before := configuration.DeepCopyObject().(client.Object)
	if !change() {
		return nil
	}
	patch := client.StrategicMergeFrom(before, client.MergeFromWithOptimisticLock{})
	if err := k.client.Patch(ctx, configuration, patch, apply.FieldManager); err != nil {
		return fmt.Errorf("write the authority into webhook configuration %s: %w", name, err)
	}
	log.FromContext(ctx).Info("wrote the authority into a webhook configuration", "configuration", name)
	return nil
}
