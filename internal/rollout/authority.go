package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Authority is what this program does for webhooks whose program may not do it
// itself: it makes the serving certificate, renews it when it applies, and has
// its authority trusted by what calls the webhooks.
type Authority struct {
	Release fleet.Key
	// Namespace is where the webhooks' Service and the certificate's Secret are.
	Namespace       string
	Secret, Service string
	Validity        time.Duration
	// Configurations are those of webhooks, and CRDs that a webhook converts.
	Configurations []chart.Object
}

// DNSName is what the API server calls the webhooks' Service.
func (a Authority) DNSName() string { return a.Service + "." + a.Namespace + ".svc" }

// SecretName is the Secret as messages show it.
func (a Authority) SecretName() string { return a.Namespace + "/" + a.Secret }

// authorityOf reads what the objects of a release ask for; nil if for nothing.
func authorityOf(key fleet.Key, objects []chart.Object) (*Authority, error) {
	a := &Authority{Release: key}
	for _, o := range callers(objects) {
		secret, asks := o.Annotations[marks.Certificate]
		if !asks {
			continue
		}
		days, err := strconv.Atoi(o.Annotations[marks.CertificateDays])
		if err != nil || days < 1 {
			return nil, fmt.Errorf("%s: annotation %s is %q, which is no number of days", o, marks.CertificateDays, o.Annotations[marks.CertificateDays])
		}
		service, err := webhookService(o)
		if err != nil {
			return nil, err
		}
		namespace := key.Namespace
		if isCRD(o) {
			namespace = cmp.Or(service.Namespace, namespace)
		}
		if a.Secret != "" && (a.Secret != secret || a.Service != service.Name || a.Namespace != namespace) {
			return nil, fmt.Errorf("%s asks for another certificate than the release's other webhook configuration: one release has one", o)
		}
		a.Namespace, a.Secret, a.Service, a.Validity = namespace, secret, service.Name, time.Duration(days)*24*time.Hour
		a.Configurations = append(a.Configurations, o)
	}
	if len(a.Configurations) == 0 {
		return nil, nil
	}
	return a, nil
}

// callers lists what calls webhooks: their configurations, and CRDs that ask for a
// certificate.
func callers(objects []chart.Object) []chart.Object {
	return append(webhooks(objects), slices.DeleteFunc(slices.Clone(objects), func(o chart.Object) bool {
		return !isCRD(o) || o.Annotations[marks.Certificate] == ""
	})...)
}

// serviceReference names a Service; without a namespace, it is in the release's.
type serviceReference struct{ Namespace, Name string }

// webhookService is the Service that the webhooks of a configuration are behind.
func webhookService(o chart.Object) (serviceReference, error) {
	type client struct{ Service serviceReference }
	var configuration struct {
		Webhooks []struct{ ClientConfig client }
		Spec     struct {
			Conversion struct {
				Webhook struct{ ClientConfig client }
			}
		}
	}
	if err := o.Read(&configuration); err != nil {
		return serviceReference{}, fmt.Errorf("%s: %w", o, err)
	}
	service := configuration.Spec.Conversion.Webhook.ClientConfig.Service
	if len(configuration.Webhooks) > 0 {
		service = configuration.Webhooks[0].ClientConfig.Service
	}
	if service.Name == "" {
		return service, fmt.Errorf("%s asks for a certificate, and has no webhook behind a Service", o)
	}
	return service, nil
}
