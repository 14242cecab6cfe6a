package rollout

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/yaml"

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
	if err := yaml.Unmarshal([]byte(o.Content), &configuration); err != nil {
		return "", fmt.Errorf("%s: %w", o, err)
	}
	if len(configuration.Webhooks) == 0 || configuration.Webhooks[0].ClientConfig.Service.Name == "" {
		return "", fmt.Errorf("%s asks for a certificate, and has no webhook behind a Service", o)
	}
	return configuration.Webhooks[0].ClientConfig.Service.Name, nil
}

// observeAuthorities asks which certificates are due. One of a release that is
// not installed yet is.
func (s *Snapshot) observeAuthorities(ctx context.Context, cluster Cluster) error {
	s.due = make([]string, len(s.Targets))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, target := range s.Targets {
		authority, err := authorityOf(target.Key, target.Rendered.Objects)
		if err != nil {
			return fmt.Errorf("release %s: %w", target.Key, err)
		}
		if authority == nil {
			continue
		}
		s.Targets[i].authority = authority
		if record, installed := s.Records[target.Key]; !installed || record.Status == "uninstalled" {
			s.due[i] = "the release is new"
			continue
		}
		group.Go(func() (err error) {
			s.due[i], err = cluster.AuthorityDue(ctx, *authority)
			return err
		})
	}
	return group.Wait()
}

// certificateStep follows the release, which brings the configurations and the
// Service; nil if nothing is due.
func (s *Snapshot) certificateStep(i int, release Step) *Step {
	if len(s.due) == 0 || s.due[i] == "" {
		return nil
	}
	action := ActionRepair
	if release.last.Revision == 0 {
		action = ActionCreate
	}
	return &Step{
		ID: "certificate " + release.Key.String(), Kind: StepCertificate, Action: action, Reason: s.due[i],
		Key: release.Key, Needs: []string{release.ID}, target: release.target,
	}
}

// keepAuthority makes the webhooks of what a release now has trusted.
func (e *execution) keepAuthority(ctx context.Context, key fleet.Key) error {
	stored, err := e.releases.Stored(ctx, key, 0)
	if err != nil {
		return err
	}
	authority, err := authorityOf(key, stored.objects())
	if err != nil || authority == nil {
		return err
	}
	return e.cluster.KeepAuthority(ctx, *authority)
}

// authorityNeeds are the rights that a certificate takes beyond its release's.
func authorityNeeds(a *Authority) []Need {
	reason := "the certificate of release " + a.Release.String()
	out := []Need{
		{Verbs: []string{"create", "get", "update"}, Resource: "secrets", Namespace: a.Release.Namespace, For: reason},
		{Verbs: []string{"get"}, Resource: "services", Namespace: a.Release.Namespace, For: reason},
	}
	for i := range a.Configurations {
		out = append(out, Need{Verbs: []string{"get", "patch"}, Object: &a.Configurations[i], For: reason})
	}
	return out
}
