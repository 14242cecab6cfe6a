package charts

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/webhook"
)

// clients are the client configurations of all webhooks that a chart renders, by path.
func clients(t *testing.T, rendered *chart.Rendered) map[string]admissionv1.WebhookClientConfig {
	t.Helper()
	found := map[string]admissionv1.WebhookClientConfig{}
	for _, object := range rendered.Objects {
		switch object.Kind {
		case "ValidatingWebhookConfiguration":
			for _, hook := range strict[admissionv1.ValidatingWebhookConfiguration](t, object).Webhooks {
				found[*hook.ClientConfig.Service.Path] = hook.ClientConfig
			}
		case "MutatingWebhookConfiguration":
			for _, hook := range strict[admissionv1.MutatingWebhookConfiguration](t, object).Webhooks {
				found[*hook.ClientConfig.Service.Path] = hook.ClientConfig
			}
		}
	}
	return found
}

func strict[T any](t *testing.T, object chart.Object) *T {
	t.Helper()
	into := new(T)
	if err := yaml.UnmarshalStrict([]byte(object.Content), into); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	return into
}

func TestWebhooksOfEachMode(t *testing.T) {
	served := slices.Sorted(maps.Keys(webhook.Handlers(webhook.Options{Kinds: kinds.All(), Scheme: runtime.NewScheme()})))
	for mode, values := range modes {
		t.Run(mode, func(t *testing.T) {
			rendered := render(t, values)
			cfg := operatorConfig(t, rendered).Server.Webhook
			hooks := clients(t, rendered)
			if !cfg.Enabled() {
				if len(hooks) > 0 {
					t.Errorf("the operator serves no webhooks, but %d are rendered", len(hooks))
				}
				return
			}
			if diff := cmp.Diff(served, slices.Sorted(maps.Keys(hooks))); diff != "" {
				t.Errorf("paths (-served +called):\n%s", diff)
			}
			for path, hook := range hooks {
				if given := mode == "external-cert"; given != (hook.CABundle != nil) {
					t.Errorf("%s: rendered authority %q; only a given one belongs to the chart", path, hook.CABundle)
				}
				if cfg.SelfManaged() && hook.Service.Name+"."+hook.Service.Namespace+".svc" != cfg.Certificates.DNSName() {
					t.Errorf("%s is called at %+v, but the certificate is for %s", path, hook.Service, cfg.Certificates.DNSName())
				}
			}
		})
	}
}

func TestNoModeRendersASecret(t *testing.T) {
	for mode, values := range modes {
		for _, object := range render(t, values).Objects {
			if object.Kind == "Secret" {
				t.Errorf("%s renders %s: keys are made in the cluster", mode, object)
			}
		}
	}
}

// TestWebhookServiceNameIsShortAndUnique covers all lengths of release names
// that Helm accepts, and two names that differ only where they are cut.
func TestWebhookServiceNameIsShortAndUnique(t *testing.T) {
	serviceOf := func(release string) string {
		t.Helper()
		rendered, err := platform(t).Render(chart.Release{Name: release, Namespace: "inference"}, parseYAML(t, "nats: {enabled: false}"), chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		for _, hook := range clients(t, rendered) {
			return hook.Service.Name
		}
		t.Fatal("no webhook rendered")
		return ""
	}
	taken := map[string]string{}
	base := strings.Repeat("platform-", 6)
	for length := 1; length < 53; length += 3 {
		for _, release := range []string{base[:length] + "a", base[:length] + "b"} {
			name := serviceOf(release)
			if errs := validation.IsDNS1035Label(name); len(errs) > 0 {
				t.Errorf("release %s: Service %s: %v", release, name, errs)
			}
			if other, ok := taken[name]; ok {
				t.Errorf("releases %s and %s have one Service %s", release, other, name)
			}
			taken[name] = release
		}
	}
}
