package crds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// roles are the ClusterRoles of the chart.
func roles(t *testing.T) []*rbacv1.ClusterRole {
	t.Helper()
	manifest, err := install(fake.NewClientset().CoreV1().Secrets(namespace), nil)
	if err != nil {
		t.Fatal(err)
	}
	var found []*rbacv1.ClusterRole
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if !strings.Contains(document, "\nkind: ClusterRole\n") {
			continue
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict([]byte(document), role); err != nil {
			t.Fatal(err)
		}
		found = append(found, role)
	}
	return found
}

// testRights asks the API server what people may do with graphs who have
// Kubernetes' own roles in a namespace.
func testRights(t *testing.T, server *cluster.Cluster) {
	client, err := kubernetes.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, role := range roles(t) {
		if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	const team = "team-rights"
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"view", "edit", "admin"} {
		_, err := client.RbacV1().RoleBindings(team).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role + "-er"}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	may := func(role, verb, resource, subresource string) bool {
		t.Helper()
		review, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               role + "-er",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: team, Verb: verb, Group: "nvidia.com", Resource: resource, Subresource: subresource},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
	cluster.Eventually(t, "the roles are aggregated", func() error {
		if !may("view", "get", "dynamographdeployments", "") || !may("edit", "create", "dynamographdeployments", "") || !may("admin", "create", "dynamographdeployments", "") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	for kind := range kinds {
		resource := definitions(t)[kind].Spec.Names.Plural
		for _, role := range []string{"view", "edit", "admin"} {
			for _, verb := range []string{"list", "create", "update", "patch", "delete"} {
				for _, subresource := range []string{"", "status"} {
					if got, want := may(role, verb, resource, subresource), granted(role, verb, resource, subresource); got != want {
						t.Errorf("who has the role %s may %s %s/%s: %t, want %t", role, verb, resource, subresource, got, want)
					}
				}
			}
		}
	}
	if !may("edit", "patch", "dynamographdeploymentscalingadapters", "scale") || may("view", "patch", "dynamographdeploymentscalingadapters", "scale") {
		t.Error("a scaling adapter is scaled by whoever may edit, and by nobody else")
	}
}

// granted is what the built-in roles are to allow. Who administers a namespace may
// also grant what a platform's roles grant.
func granted(role, verb, resource, subresource string) bool {
	written := []string{"dynamographdeployments", "dynamographdeploymentrequests", "dynamographdeploymentscalingadapters", "dynamomodels", "dynamocheckpoints"}
	switch {
	case subresource == "status" && resource == "dynamoworkermetadatas":
		return false // it has none
	case verb == "list":
		return true
	case subresource == "status":
		return role == "admin" && verb == "patch"
	default:
		return role == "admin" || role == "edit" && slices.Contains(written, resource)
	}
}
