// Package versions tests both versions of our kinds on a real API server, which asks
// this process to convert.
package versions

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	alpha = "nvidia.com/v1alpha1"
	beta  = "nvidia.com/v1beta1"
)

var (
	shared *cluster.Cluster
	// stopConverting is set by the first test.
	stopConverting = func() {}
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := cluster.Main(m, &shared)
	stopConverting()
	os.Exit(code)
}

var admin = sync.OnceValues(func() (client.Client, error) {
	scheme := manager.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(shared.Config, client.Options{Scheme: scheme})
	if err == nil {
		stopConverting, err = cluster.InstallVersions(c, cluster.Convert)
	}
	return c, err
})

func adminClient(t *testing.T) client.Client {
	t.Helper()
	c, err := admin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// graph reads a graph of a version from its spec, and puts it into a namespace.
func graph(t *testing.T, version, namespace, spec string) *unstructured.Unstructured {
	t.Helper()
	g := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(spec), &g.Object); err != nil {
		t.Fatal(err)
	}
	g.Object = map[string]any{"spec": g.Object}
	g.SetAPIVersion(version)
	g.SetKind("DynamoGraphDeployment")
	g.SetNamespace(namespace)
	g.SetName("g")
	return g
}

// apply applies an object as a field manager, without force.
func apply(t *testing.T, by string, object *unstructured.Unstructured) error {
	t.Helper()
	return adminClient(t).Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner(by))
}

func mustApply(t *testing.T, by string, object *unstructured.Unstructured) {
	t.Helper()
	if err := apply(t, by, object); err != nil {
		t.Fatal(err)
	}
}

// read returns an object as a version has it.
func read(t *testing.T, version, namespace string) *unstructured.Unstructured {
	t.Helper()
	g := &unstructured.Unstructured{}
	g.SetAPIVersion(version)
	g.SetKind("DynamoGraphDeployment")
	if err := adminClient(t).Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "g"}, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// startOperator runs the operator of one namespace, under the rights that it
// needs there and no others, until the test ends.
func startOperator(t *testing.T, namespace string) {
	t.Helper()
	cfg := config.Default()
	cfg.Server.HealthProbe.BindAddress, cfg.LeaderElection.Enabled, cfg.Namespace.Restricted = config.Off, false, namespace
	user := "operator-of-" + namespace
	meta := metav1.ObjectMeta{Namespace: namespace, Name: user}
	c := adminClient(t)
	err := errors.Join(
		c.Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: manager.PermissionsFor(cfg).Served}),
		c.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: *meta.DeepCopy(), Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	restConfig := rest.CopyConfig(shared.Config)
	restConfig.Impersonate = rest.ImpersonationConfig{UserName: user}
	watchdog := cluster.Watchdog{Forbidden: &sync.Map{}}
	restConfig.Wrap(func(next http.RoundTripper) http.RoundTripper {
		watchdog.Next = next
		return watchdog
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx, cfg, restConfig, logr.Discard()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the operator of %s: %v", namespace, err)
		}
		watchdog.Report(t)
	})
}
