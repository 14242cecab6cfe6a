package session

import (
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// What a confined session asks outside its namespaces never reaches the server,
// and reads as what the server says to who may not.
func TestAConfinedSessionAsksNothingOutside(t *testing.T) {
	for path, leaves := range map[string]bool{
		"/version": true, "/api": true, "/apis": true, "/api/v1": true, "/apis/apps/v1": true, "/openapi/v3/apis/apps/v1": true,
		"/api/v1/namespaces/team":                                                  true,
		"/api/v1/namespaces/team/secrets/a":                                        true,
		"/apis/apps/v1/namespaces/team/deployments":                                true,
		"/apis/authorization.k8s.io/v1/namespaces/team/localsubjectaccessreviews":  true,
		"/apis/authorization.k8s.io/v1/selfsubjectrulesreviews":                    true,
		"/apis/authentication.k8s.io/v1/selfsubjectreviews":                        true,
		"/apis/authorization.k8s.io/v1/subjectaccessreviews":                       false,
		"/apis/authentication.k8s.io/v1/tokenreviews":                              false,
		"/api/v1/namespaces":                                                       false,
		"/api/v1/namespaces/other":                                                 false,
		"/api/v1/namespaces/team-b/secrets":                                        false,
		"/api/v1/secrets":                                                          false,
		"/api/v1/nodes/namespaces/team":                                            false,
		"/apis/apps/v1/deployments":                                                false,
		"/apis/apps/v1/namespaces/other/deployments/team":                          false,
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/team":              false,
		"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/team": false,
		"/api/v1/namespaces/team/../other/secrets":                                 false,
	} {
		for _, base := range []string{"", "/k8s/clusters/c1"} {
			c := &confinement{base: base, namespaces: []string{"team"}}
			if got := c.within(base + path); got != leaves {
				t.Errorf("%s leaves: %v, want %v", base+path, got, leaves)
			}
		}
	}

	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	s, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	s.Confine([]string{"team"})
	if _, err := s.Kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) || Forbidden(err) != "the fleet keeps to namespace team" {
		t.Errorf("nodes: %v", err)
	}
	if err := s.Kube.RbacV1().ClusterRoleBindings().Delete(t.Context(), "team", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a ClusterRoleBinding: %v", err)
	}
	if _, err := s.Kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("another namespace: %v", err)
	}
	if asked > 0 {
		t.Errorf("the server was asked %d times", asked)
	}
	_, _ = s.Kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, metav1.CreateOptions{})
	if asked == 0 {
		t.Error("the session may not make its own namespace")
	}
}
