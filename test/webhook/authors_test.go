package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// author gives a user rights in a namespace.
func author(t *testing.T, namespace, name string, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	user := name + "@" + namespace
	graphs := rbacv1.PolicyRule{
		APIGroups: []string{"nvidia.com"}, Resources: []string{"dynamographdeployments", "dynamocomponentdeployments"},
		Verbs: []string{"get", "create", "update", "patch"},
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: append(rules, graphs)},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		},
	} {
		if err := adminClient(t).Create(context.Background(), object); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Eventually(t, "the API server knows of the role", func() error {
		none := &v1alpha1.DynamoGraphDeployment{}
		return client.IgnoreNotFound(with(t, user).Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "none"}, none))
	})
	return user
}

// with is a client that speaks for a user and may do what the user may.
func with(t *testing.T, user string) client.Client {
	t.Helper()
	restConfig := rest.CopyConfig(shared.Config)
	restConfig.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	c, err := client.New(restConfig, client.Options{Scheme: adminClient(t).Scheme(), Mapper: adminClient(t).RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func may(verb, group, resource string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
}

// TestAuthorsGetNoMoreThanTheyMay: with authorizeAuthors, a graph gives nobody
// what he could not do himself. A restricted operator asks with the rights of a
// Role.
func TestAuthorsGetNoMoreThanTheyMay(t *testing.T) {
	for scope, values := range map[string]string{
		"cluster-wide": `dynamo-operator: {webhook: {authorizeAuthors: true}}`,
		"restricted":   `dynamo-operator: {namespaceRestriction: {enabled: true}, webhook: {enabled: true, authorizeAuthors: true, certificateSecret: {wheelhouse: true}}}`,
	} {
		t.Run(scope, func(t *testing.T) {
			i := install(t, values)
			if scope == "restricted" {
				i.keep(t, time.Hour)
			}
			i.startReady(t)
			ns := i.namespace
			dana := author(t, ns, "dana")
			piet := author(t, ns, "piet", may("create", "", "pods"))
			rosa := author(t, ns, "rosa", may("create", "", "pods"), may("get", "", "secrets", "mine"), may("impersonate", "", "serviceaccounts", "mine"),
				may("create", "networking.k8s.io", "ingresses"), may("create", "", "persistentvolumeclaims"))
			const named = "spec.services[S].extraPodSpec."
			for name, test := range map[string]struct{ user, service, want string }{
				"no pods":                {dana, "", "spec.services: Forbidden: " + dana + " may not create pods in namespace " + ns},
				"pods":                   {piet, "", ""},
				"another's account":      {piet, "extraPodSpec: {serviceAccountName: mine, mainContainer: {image: x}}", named + "serviceAccountName: Forbidden: " + piet + " may not impersonate serviceaccounts mine"},
				"one's own account":      {rosa, "extraPodSpec: {serviceAccountName: mine, mainContainer: {image: x}}", ""},
				"another's Secret":       {piet, "envFromSecret: mine", "spec.services[S].envFromSecret: Forbidden: " + piet + " may not get secrets mine"},
				"in a volume":            {piet, "extraPodSpec: {volumes: [{name: v, projected: {sources: [{secret: {name: mine}}]}}], mainContainer: {image: x}}", named + "volumes[0].projected.sources[0].secret.name: Forbidden"},
				"one's own Secret":       {rosa, "envFromSecret: mine", ""},
				"a second Secret":        {rosa, "envFromSecret: other", "spec.services[S].envFromSecret: Forbidden"},
				"a host":                 {piet, "ingress: {enabled: true, host: x}", "spec.services[S].ingress: Forbidden: " + piet + " may not create ingresses.networking.k8s.io"},
				"a host, by right":       {rosa, "ingress: {enabled: true, host: x}", ""},
				"more than can be asked": {rosa, "envs: [" + manySecrets(101) + "]", "more than 100 different rights"},
			} {
				t.Run(name, func(t *testing.T) {
					if !strings.Contains(test.service, "extraPodSpec") {
						test.service = strings.TrimPrefix(test.service+", extraPodSpec: {mainContainer: {image: x}}", ", ")
					}
					graph := object(t, ns, "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, metadata: {name: g}, spec: {services: {S: {"+test.service+"}}}}")
					err := with(t, test.user).Create(context.Background(), graph, client.DryRunAll)
					if test.want == "" {
						if err != nil {
							t.Errorf("refused: %v", err)
						}
						return
					}
					refused(t, err, test.want)
				})
			}
			t.Run("a component", func(t *testing.T) {
				component := object(t, ns, "{apiVersion: nvidia.com/v1alpha1, kind: DynamoComponentDeployment, metadata: {name: c}, spec: {extraPodSpec: {mainContainer: {image: x}}}}")
				refused(t, with(t, dana).Create(context.Background(), component, client.DryRunAll), "spec: Forbidden: "+dana+" may not create pods")
			})
			t.Run("scaling needs no pods", func(t *testing.T) {
				graph := object(t, ns, "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, metadata: {name: g}, spec: {services: {S: {replicas: 1, extraPodSpec: {mainContainer: {image: x}}}}}}")
				if err := adminClient(t).Create(context.Background(), graph); err != nil {
					t.Fatal(err)
				}
				patch := func(service string) error {
					return with(t, dana).Patch(context.Background(), graph, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"services":{"S":`+service+`}}}`)))
				}
				if err := patch(`{"replicas":2}`); err != nil {
					t.Errorf("a change of the replicas: %v", err)
				}
				refused(t, patch(`{"extraPodSpec":{"mainContainer":{"image":"y"}}}`), "may not create pods")
			})
		})
	}
}

func manySecrets(n int) string {
	var envs []string
	for i := range n {
		envs = append(envs, fmt.Sprintf("{name: A%d, valueFrom: {secretKeyRef: {name: s%d, key: k}}}", i, i))
	}
	return strings.Join(envs, ", ")
}

// TestWithoutTheOptionGraphsArePods: without the option, the right to graphs is
// the right to pods, as docs/graphs.md says.
func TestWithoutTheOptionGraphsArePods(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	ns := cluster.Namespace(t, adminClient(t))
	graph := object(t, ns, "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, metadata: {name: g}, spec: {services: {S: {envFromSecret: mine, extraPodSpec: {mainContainer: {image: x}}}}}}")
	if err := with(t, author(t, ns, "dana")).Create(context.Background(), graph, client.DryRunAll); err != nil {
		t.Error(err)
	}
}
