// Package webhook tests the admission webhooks on a real API server. It
// installs what the chart renders, rights included, but for the Deployment:
// the replicas run in the test, behind a Service that leads to them.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

var shared *cluster.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(cluster.Main(m, &shared))
}

// admin is a client with all rights on a cluster that has our kinds.
var admin = sync.OnceValues(func() (client.Client, error) { return newClient(shared.Config) })

func newClient(restConfig *rest.Config) (client.Client, error) {
	scheme := manager.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return c, cluster.InstallKinds(c)
}

func adminClient(t *testing.T) client.Client {
	t.Helper()
	c, err := admin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// installation is a release of the platform chart.
type installation struct {
	namespace string
	rendered  *chart.Rendered
	cfg       *config.OperatorConfiguration
	front     *front
}

var releases atomic.Int32

// install applies a release, as Helm does.
func install(t *testing.T, values string) *installation {
	t.Helper()
	overrides := map[string]any{"nats": map[string]any{"enabled": false}}
	if err := yaml.Unmarshal([]byte(values), &overrides); err != nil {
		t.Fatal(err)
	}
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{namespace: cluster.Namespace(t, adminClient(t)), front: newFront(t)}
	release := chart.Release{Name: fmt.Sprintf("r%d", releases.Add(1)), Namespace: i.namespace}
	i.rendered, err = c.Render(release, overrides, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.uninstall(t) })
	i.upgrade(t)
	return i
}

// upgrade applies the release once more: neither an upgrade nor a rollback does
// anything else to what is there.
func (i *installation) upgrade(t *testing.T) {
	t.Helper()
	for _, object := range i.rendered.Objects {
		if object.Kind == "Deployment" {
			continue
		}
		if object.Kind == "ConfigMap" {
			i.cfg = configOf(t, object)
		}
		u := i.prepared(t, object)
		if err := adminClient(t).Apply(context.Background(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("helm")); err != nil {
			t.Fatalf("apply %s: %v", object, err)
		}
	}
}

// prepared leads the webhooks' Service to the replicas in this test.
func (i *installation) prepared(t *testing.T, object chart.Object) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(object.Content), &u.Object); err != nil {
		t.Fatal(err)
	}
	switch {
	case object.Kind == "Service" && strings.HasSuffix(object.Name, "-webhook-service"):
		u.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "127.0.0.1"}
	case strings.HasSuffix(object.Kind, "WebhookConfiguration"):
		for _, hook := range u.Object["webhooks"].([]any) {
			if err := unstructured.SetNestedField(hook.(map[string]any), int64(i.front.port), "clientConfig", "service", "port"); err != nil {
				t.Fatal(err)
			}
		}
	}
	return u
}

func (i *installation) uninstall(t *testing.T) {
	for _, object := range i.rendered.Objects {
		if object.Kind == "Deployment" {
			continue
		}
		if err := adminClient(t).Delete(context.Background(), i.prepared(t, object)); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
}

func configOf(t *testing.T, configMap chart.Object) *config.OperatorConfiguration {
	t.Helper()
	var c corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(configMap.Content), &c); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse([]byte(c.Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// account is the operator's ServiceAccount.
func (i *installation) account() string {
	for _, object := range i.rendered.Objects {
		if object.Kind == "ServiceAccount" && strings.HasSuffix(object.Name, "-controller-manager") {
			return object.Name
		}
	}
	return ""
}

// replica is an operator process.
type replica struct {
	address string
	ready   func() error
	stop    func() error
}

// start runs a replica until the test ends or stop is called. Nobody waits for it.
func (i *installation) start(t *testing.T, change ...func(*config.OperatorConfiguration)) *replica {
	t.Helper()
	t.Setenv("POD_NAMESPACE", i.namespace)
	t.Setenv("POD_SERVICE_ACCOUNT", i.account())
	cfg := *i.cfg
	r := &replica{address: cluster.FreeAddress(t)}
	health := cluster.FreeAddress(t)
	cfg.Server.Webhook.BindAddress, cfg.Server.HealthProbe.BindAddress, cfg.Server.Metrics.BindAddress = r.address, health, config.Off
	for _, c := range change {
		c(&cfg)
	}
	restConfig := rest.CopyConfig(shared.Config)
	restConfig.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + i.namespace + ":" + i.account(),
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + i.namespace, "system:authenticated"},
	}
	watchdog := cluster.Watchdog{Forbidden: &sync.Map{}}
	restConfig.Wrap(func(next http.RoundTripper) http.RoundTripper {
		watchdog.Next = next
		return watchdog
	})

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx, &cfg, restConfig, logr.Discard()) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		i.front.remove(r.address)
		return err
	})
	r.ready = func() error {
		_, err := cluster.Fetch("http://" + health + "/readyz")
		return err
	}
	i.front.add(r.address)
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the operator: %v", err)
		}
		watchdog.Report(t)
	})
	return r
}

// startReady runs a replica and waits until it is ready.
func (i *installation) startReady(t *testing.T, change ...func(*config.OperatorConfiguration)) *replica {
	t.Helper()
	r := i.start(t, change...)
	cluster.Eventually(t, "the replica is ready", r.ready)
	return r
}

// bundles are the authorities in all webhooks of the installation.
func (i *installation) bundles(t *testing.T) [][]byte {
	t.Helper()
	validating, mutating := i.configurations(t)
	var found [][]byte
	for _, hook := range validating.Webhooks {
		found = append(found, hook.ClientConfig.CABundle)
	}
	for _, hook := range mutating.Webhooks {
		found = append(found, hook.ClientConfig.CABundle)
	}
	return found
}

func (i *installation) configurations(t *testing.T) (*admissionv1.ValidatingWebhookConfiguration, *admissionv1.MutatingWebhookConfiguration) {
	t.Helper()
	validating, mutating := &admissionv1.ValidatingWebhookConfiguration{}, &admissionv1.MutatingWebhookConfiguration{}
	certificates := i.cfg.Server.Webhook.Certificates
	for name, object := range map[string]client.Object{certificates.ValidatingConfiguration: validating, certificates.MutatingConfiguration: mutating} {
		if err := adminClient(t).Get(context.Background(), client.ObjectKey{Name: name}, object); err != nil {
			t.Fatal(err)
		}
	}
	return validating, mutating
}
