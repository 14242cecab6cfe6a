// Package certificate reads whether webhooks are trusted, and looks after the
// certificates of those whose operator may not do it itself.
package certificate

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Keeper looks after certificates.
type Keeper struct{ session *session.Session }

// New makes a Keeper.
func New(s *session.Session) Keeper { return Keeper{s} }

// Certificates reads until when the webhooks of configurations are trusted. A
// configuration that does not exist, or that this user may not read, is left out.
func (k Keeper) Certificates(ctx context.Context, configurations []chart.Object) ([]rollout.Certificate, error) {
	var out []rollout.Certificate
	for _, object := range configurations {
		bundles, err := k.bundles(ctx, object)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		case err != nil:
			return nil, k.session.Explain("read "+object.String(), err)
		default:
			if c, ok := certificateOf(object.String(), bundles); ok {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// bundles are what a configuration trusts, webhook by webhook.
func (k Keeper) bundles(ctx context.Context, object chart.Object) ([][]byte, error) {
	var out [][]byte
	add := func(c admissionv1.WebhookClientConfig) {
		if c.Service != nil {
			out = append(out, c.CABundle)
		}
	}
	if isCRD(object) {
		return k.bundleOfCRD(ctx, object)
	}
	api := k.session.Kube.AdmissionregistrationV1()
	if object.Kind == "ValidatingWebhookConfiguration" {
		found, err := api.ValidatingWebhookConfigurations().Get(ctx, object.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for _, webhook := range found.Webhooks {
			add(webhook.ClientConfig)
		}
		return out, nil
	}
	found, err := api.MutatingWebhookConfigurations().Get(ctx, object.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	for _, webhook := range found.Webhooks {
		add(webhook.ClientConfig)
	}
	return out, nil
}

// bundleOfCRD is what a CRD trusts to convert its objects, nothing if no webhook
// does.
func (k Keeper) bundleOfCRD(ctx context.Context, object chart.Object) ([][]byte, error) {
	at, err := k.session.Locate(object, fleet.Key{})
	if err != nil {
		return nil, err
	}
	live, err := k.session.Client(at).Get(ctx, object.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	text, has, _ := unstructured.NestedString(live.Object, "spec", "conversion", "webhook", "clientConfig", "caBundle")
	if !has {
		return nil, nil
	}
	bundle, err := base64.StdEncoding.DecodeString(text)
	return [][]byte{bundle}, err
}

// certificateOf is the trust of the webhook that loses it first. A bundle is
// good as long as one of its authorities is.
func certificateOf(name string, bundles [][]byte) (rollout.Certificate, bool) {
	out := rollout.Certificate{Configuration: name}
	for i, bundle := range bundles {
		begins, expires := trusted(bundle)
		if i == 0 || expires.Before(out.Expires) {
			out.Begins, out.Expires = begins, expires
		}
	}
	return out, len(bundles) > 0
}

// trusted is the life of the authority in a bundle that ends last.
func trusted(bundle []byte) (begins, expires time.Time) {
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		authority, err := x509.ParseCertificate(block.Bytes)
		if err == nil && authority.NotAfter.After(expires) {
			begins, expires = authority.NotBefore, authority.NotAfter
		}
	}
	return begins, expires
}
