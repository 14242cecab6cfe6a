package rollout

import (
	"fmt"
	"strconv"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Authority is what this program does for webhooks whose operator may not do it
// itself: it makes the serving certificate, renews it when it applies, and has
// its authority trusted by the release's webhook configurations.
type Authority struct {
	Release fleet.Key
	// Secret holds the certificate, and Service is what it is for; both are in
	// the release's namespace.
	Secret, Service string
	Validity        time.Duration
	Configurations  []chart.Object
}

// DNSName is what the API server calls the webhooks' Service.
func (a Authority) DNSName() string { return a.Service + "." + a.Release.Namespace + ".svc" }

// SecretName is the Secret as messages show it.
func (a Authority) SecretName() string { return a.Release.Namespace + "/" + a.Secret }

// authorityOf reads what the objects of a release ask for; nil if for nothing.
func authorityOf(key fleet.Key, objects []chart.Object) (*Authority, error) {
	a := &Authority{Release: key}
	for _, o := range webhooks(objects) {
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
		if a.Secret != "" && (a.Secret != secret || a.Service != service) {
			return nil, fmt.Errorf("%s asks for another certificate than the release's other webhook configuration: one release has one", o)
		}
		a.Secret, a.Service, a.Validity = secret, service, time.Duration(days)*24*time.Hour
		a.Configurations = append(a.Configurations, o)
	}
	if len(a.Configurations) == 0 {
		return nil, nil
	}
	return a, nil
}

// webhookService is the Service that the webhooks of a configuration are behind.
func webhookService(o chart.Object) (string, error) {
	var configuration struct {
		Webhooks []struct {
			ClientConfig struct {
				Service struct{ Name string }
			}
		}
	}
	if err := o.Read(&configuration); err != nil {
		return "", fmt.Errorf("%s: %w", o, err)
	}
	if len(configuration.Webhooks) == 0 || configuration.Webhooks[0].ClientConfig.Service.Name == "" {
		return "", fmt.Errorf("%s asks for a certificate, and has no webhook behind a Service", o)
	}
	return configuration.Webhooks[0].ClientConfig.Service.Name, nil
}
