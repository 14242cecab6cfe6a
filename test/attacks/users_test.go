package attacks

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// user is somebody with a name of their own and the rights of one namespace.
type user struct {
	name string
	// config authenticates as the user; kubeconfig is a file that does.
	config     *rest.Config
	kubeconfig string
	client.Client
}

// administrator has all rights, on a cluster that has our kinds.
var administrator = sync.OnceValues(func() (client.Client, error) {
	c, err := client.New(shared.Config, client.Options{Scheme: scheme()})
	if err != nil {
		return nil, err
	}
	return c, cluster.InstallKinds(c)
})

var scheme = sync.OnceValue(func() *runtime.Scheme {
	s := manager.Scheme()
	err := errors.Join(apiextensionsv1.AddToScheme(s), authenticationv1.AddToScheme(s), authorizationv1.AddToScheme(s))
	if err != nil {
		panic(err) // a type registered twice, which no input can cause
	}
	return s
})

func admin(t *testing.T) client.Client {
	t.Helper()
	c, err := administrator()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// team makes a namespace for one test, with the ServiceAccount that every
// namespace has.
func team(t *testing.T) string {
	t.Helper()
	name := cluster.Namespace(t, admin(t))
	cluster.Eventually(t, "the default ServiceAccount", func() error {
		return admin(t).Get(context.Background(), client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	})
	return name
}

// mallory has the ClusterRole edit in a namespace: she reads Secrets, mints
// tokens of its ServiceAccounts, execs into pods, and writes Leases.
func mallory(t *testing.T, namespace string) *user {
	t.Helper()
	return bound(t, "mallory", namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"})
}

// lead has the ClusterRole admin in a namespace, and may grant what he has.
func lead(t *testing.T, namespace string) *user {
	t.Helper()
	return bound(t, "lead", namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"})
}

// dana may write graphs in a namespace and nothing else, pods neither.
func dana(t *testing.T, namespace string) *user {
	t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dana"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"nvidia.com"}, Resources: []string{"dynamographdeployments"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		}},
	}
	if err := admin(t).Create(context.Background(), role); err != nil {
		t.Fatal(err)
	}
	d := bound(t, "dana", namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "dana"})
	cluster.Eventually(t, "the API server knows of the role", func() error {
		return d.List(context.Background(), &v1alpha1.DynamoGraphDeploymentList{}, client.InNamespace(namespace))
	})
	return d
}

// bound is a user who has a role in one namespace.
func bound(t *testing.T, who, namespace string, role rbacv1.RoleRef) *user {
	t.Helper()
	name := who + "@" + namespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: who},
		RoleRef:    role,
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
	if err := admin(t).Create(context.Background(), binding); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(shared.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:authenticated"}}
	return &user{name: name, config: config, kubeconfig: kubeconfigOf(t, name), Client: clientOf(t, config)}
}

func clientOf(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kubeconfigOf writes a kubeconfig with which a program is that user.
func kubeconfigOf(t *testing.T, name string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range config.AuthInfos {
		info.Impersonate, info.ImpersonateGroups = name, []string{"system:authenticated"}
	}
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// as is what somebody can do who has got hold of a ServiceAccount: the user
// mints a token of it. It fails where the user may not.
func (u *user) as(t *testing.T, namespace, account string) (*user, error) {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	of := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := u.SubResource("token").Create(context.Background(), of, request); err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(shared.Config)
	config.BearerToken = request.Status.Token
	return &user{name: "system:serviceaccount:" + namespace + ":" + account, config: config, Client: clientOf(t, config)}, nil
}

// right is something that somebody may be allowed to do; no namespace is everywhere.
type right struct{ namespace, verb, group, resource, subresource, name string }

// may asks the API server's authorizer.
func may(t *testing.T, u *user, r right) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: u.name, Groups: u.groups(),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: r.namespace, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource, Name: r.name,
		},
	}}
	if err := admin(t).Create(context.Background(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// groups are those that the API server adds.
func (u *user) groups() []string {
	groups := []string{"system:authenticated"}
	if account, is := strings.CutPrefix(u.name, "system:serviceaccount:"); is {
		namespace, _, _ := strings.Cut(account, ":")
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	}
	return groups
}

// TestUsersHaveTheRightsOfTheirRoles: an attack by somebody who has more or less
// than a tenant would prove nothing.
func TestUsersHaveTheRightsOfTheirRoles(t *testing.T) {
	namespace, other := team(t), team(t)
	m, d, l := mallory(t, namespace), dana(t, namespace), lead(t, namespace)
	const rbac, graphs = rbacv1.GroupName, "dynamographdeployments"
	for _, test := range []struct {
		who  *user
		what right
		want bool
	}{
		{m, right{namespace: namespace, verb: "get", resource: "secrets"}, true},
		{m, right{namespace: namespace, verb: "create", resource: "serviceaccounts", subresource: "token"}, true},
		{m, right{namespace: namespace, verb: "create", resource: "pods", subresource: "exec"}, true},
		{m, right{namespace: namespace, verb: "create", group: "coordination.k8s.io", resource: "leases"}, true},
		{m, right{namespace: namespace, verb: "create", group: rbac, resource: "rolebindings"}, false},
		{m, right{namespace: other, verb: "get", resource: "secrets"}, false},
		{d, right{namespace: namespace, verb: "create", group: "nvidia.com", resource: graphs}, true},
		{d, right{namespace: namespace, verb: "create", resource: "pods"}, false},
		{d, right{namespace: namespace, verb: "get", resource: "secrets"}, false},
		{l, right{namespace: namespace, verb: "create", group: rbac, resource: "rolebindings"}, true},
		{l, right{namespace: other, verb: "create", group: rbac, resource: "rolebindings"}, false},
	} {
		if got := may(t, test.who, test.what); got != test.want {
			t.Errorf("%s may %+v: %t, want %t", test.who.name, test.what, got, test.want)
		}
	}
	token, err := m.as(t, namespace, "default")
	if err != nil {
		t.Fatalf("mallory cannot mint a token: %v", err)
	}
	if err := token.List(context.Background(), &corev1.SecretList{}, client.InNamespace(namespace)); !apierrors.IsForbidden(err) {
		t.Errorf("the default ServiceAccount lists Secrets: %v", err)
	}
}
