package attacks

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// inMemory is a fleet file that is on no disk.
type inMemory map[string]string

func (m inMemory) Read(path string) ([]byte, error) {
	text, ok := m[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (inMemory) Glob(string) ([]string, error) { return nil, nil }

// rendered is what a fleet with one profile and these platforms installs.
func rendered(t *testing.T, profile, platforms string) []chart.Object {
	t.Helper()
	profiles, err := fs.Sub(charts.FS(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  profiles: [%s]\n"+
		"  shared: {registry: registry.example.com, checkpoint: {enabled: true}}\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [%s]\n", profile, platforms)
	desired, err := rollout.Read(rollout.Source{File: "fleet.yaml", Files: inMemory{"fleet.yaml": file}, Charts: charts.FS(), Profiles: profiles})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := desired.Targets(t.Context(), chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	var out []chart.Object
	for _, target := range targets {
		for _, object := range target.Rendered.Objects {
			if object.Kind != "CustomResourceDefinition" {
				out = append(out, object)
			}
		}
	}
	return out
}

func profileNames(t *testing.T) []string {
	t.Helper()
	found, err := fs.Glob(charts.FS(), "profiles/*.yaml")
	if err != nil || len(found) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	var names []string
	for _, path := range found {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".yaml"))
	}
	return names
}

// reaches lists the bindings that give a ServiceAccount of a namespace rights
// outside it.
func reaches(t *testing.T, objects []chart.Object, tenant string) []string {
	t.Helper()
	var out []string
	for _, object := range objects {
		if object.Kind != "ClusterRoleBinding" && (object.Kind != "RoleBinding" || object.Namespace == tenant) {
			continue
		}
		var binding rbacv1.RoleBinding
		if err := yaml.Unmarshal([]byte(object.Content), &binding); err != nil {
			t.Fatal(err)
		}
		for _, subject := range binding.Subjects {
			ofTenant := subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == tenant
			ofAll := subject.Kind != rbacv1.ServiceAccountKind
			if ofTenant || ofAll {
				out = append(out, fmt.Sprintf("%s: %s %s", object, subject.Kind, subject.Name))
			}
		}
	}
	return out
}

// TestNoAccountOfATenantReachesOut renders every profile in every scope.
func TestNoAccountOfATenantReachesOut(t *testing.T) {
	a := begin(t)
	scopes := map[string]string{
		"together": "{namespace: team-a}",
		"beside":   "{namespace: team-a-platform, serves: team-a}",
		"cluster":  "{namespace: dynamo-system, scope: cluster}",
	}
	looked := 0
	for _, profile := range profileNames(t) {
		for scope, platform := range scopes {
			objects := rendered(t, profile, platform)
			for _, found := range reaches(t, objects, "team-a") {
				a.broke("profile %s, %s: %s", profile, scope, found)
			}
			for _, object := range objects {
				// The CRDs' roles are for people, and no account has them by a release.
				_, forPeople := object.Labels["rbac.authorization.k8s.io/aggregate-to-admin"]
				restricted := scope != "cluster" && !forPeople
				if restricted && (object.Kind == "ClusterRole" || object.Kind == "ClusterRoleBinding") {
					a.broke("profile %s, %s: a restricted platform renders %s", profile, scope, object)
				}
				if scope == "beside" && object.Namespace == "team-a" && slices.Contains([]string{"Deployment", "DaemonSet", "Secret", "ConfigMap"}, object.Kind) {
					a.broke("profile %s: a platform beside its tenant puts %s there", profile, object)
				}
			}
			looked++
		}
	}
	a.came("nothing in %d renderings", looked)
}

// TestWebhooksAreOutOfATenantsReach: profile prod in the tenant's own namespace,
// where it is easiest.
func TestWebhooksAreOutOfATenantsReach(t *testing.T) {
	a := begin(t)
	ctx, namespace := context.Background(), team(t)
	configuration, account := install(t, rendered(t, "prod", "{namespace: "+namespace+"}"), namespace)

	operator, err := mallory(t, namespace).as(t, namespace, account)
	if err != nil {
		t.Fatalf("mallory mints no token, so nothing is proven: %v", err)
	}
	hook := &unstructured.Unstructured{}
	hook.SetAPIVersion("admissionregistration.k8s.io/v1")
	hook.SetKind("ValidatingWebhookConfiguration")
	hook.SetName(configuration)
	patch := `{"webhooks":[{"name":"spy.example.com","clientConfig":{"url":"https://127.0.0.1:1"},"sideEffects":"None","admissionReviewVersions":["v1"],` +
		`"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["*"],"resources":["secrets"]}]}]}`
	if err := operator.Patch(ctx, hook, client.RawPatch(types.StrategicMergePatchType, []byte(patch))); !apierrors.IsForbidden(err) {
		a.broke("the PATCH: %v", err)
	}
	for _, r := range []right{
		{verb: "get", resource: "secrets"}, {verb: "list", resource: "nodes"}, {verb: "create", resource: "namespaces"},
		{verb: "create", group: rbacv1.GroupName, resource: "clusterrolebindings"},
		{verb: "patch", group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations"},
		{verb: "create", group: "scheduling.run.ai", resource: "queues"},
		{verb: "create", group: "authentication.k8s.io", resource: "tokenreviews"},
		{namespace: "kube-system", verb: "get", group: "coordination.k8s.io", resource: "leases"},
	} {
		if may(t, operator, r) {
			a.broke("the operator's account may %+v", r)
		}
	}
	if !may(t, operator, right{namespace: namespace, verb: "create", group: "apps", resource: "deployments"}) {
		t.Error("the account is not the operator's: it has no right in its namespace either")
	}
}

// install creates what of a platform has to do with rights, and returns the name
// of its validating webhooks and that of the operator's account.
func install(t *testing.T, objects []chart.Object, namespace string) (configuration, account string) {
	t.Helper()
	for _, object := range objects {
		switch object.Kind {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
		default:
			continue
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(object.Content), &u.Object); err != nil {
			t.Fatal(err)
		}
		if err := admin(t).Create(context.Background(), u); err != nil {
			t.Fatal(err)
		}
		if u.GetNamespace() != namespace {
			t.Cleanup(func() {
				if err := admin(t).Delete(context.Background(), u); err != nil {
					t.Error(err)
				}
			})
		}
		switch {
		case object.Kind == "ValidatingWebhookConfiguration":
			configuration = object.Name
		case object.Kind == "ServiceAccount" && strings.HasSuffix(object.Name, "-controller-manager"):
			account = object.Name
		}
	}
	return configuration, account
}
