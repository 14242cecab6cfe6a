package rights

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func TestARuleAllows(t *testing.T) {
	for _, test := range []struct {
		name   string
		rule   authorizationv1.ResourceRule
		access access
		want   bool
	}{
		{"what it names", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}, access{verb: "get", group: "apps", resource: "deployments"}, true},
		{"everything", authorizationv1.ResourceRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}, access{verb: "patch", group: "apps", resource: "deployments"}, true},
		{"not another verb", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}, access{verb: "patch", group: "apps", resource: "deployments"}, false},
		{"not another group", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"deployments"}}, access{verb: "get", group: "apps", resource: "deployments"}, false},
		{"not the subresource", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}, access{verb: "get", group: "apps", resource: "deployments/scale"}, false},
		{"a subresource of all", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"*/scale"}}, access{verb: "get", group: "apps", resource: "deployments/scale"}, true},
		{"one name", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"a"}}, access{verb: "get", resource: "secrets", name: "a"}, true},
		{"not another name", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"a"}}, access{verb: "get", resource: "secrets", name: "b"}, false},
		{"not all names", authorizationv1.ResourceRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"a"}}, access{verb: "get", resource: "secrets"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.access.within(test.rule); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Nobody may grant what they do not have, unless they may escalate.
func TestGrantingTakesEveryRightOrEscalate(t *testing.T) {
	escalate := access{verb: "escalate", group: rbacGroup, resource: "roles", name: "r", namespace: "a"}
	rules := []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"s"}},
		{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}},
	}
	var got []access
	for _, w := range grants(rules, "a", "to grant it", escalate) {
		if !cmp.Equal(w.alternatives, []access{escalate}, cmp.AllowUnexported(access{})) {
			t.Errorf("%v may be replaced by %v", w.access, w.alternatives)
		}
		got = append(got, w.access)
	}
	want := []access{
		{verb: "get", resource: "secrets", name: "s", namespace: "a"},
		{verb: "list", resource: "secrets", name: "s", namespace: "a"},
		{verb: "get", url: "/metrics"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(access{})); diff != "" {
		t.Error(diff)
	}
}

func TestVerbsThatAreDeniedOnTheSameThingAreOneLine(t *testing.T) {
	r := &rights{denied: []denial{
		{access{verb: "patch", resource: "secrets", namespace: "a"}, "release a/p"},
		{access{verb: "get", resource: "secrets", namespace: "a"}, "release a/p"},
	}}
	want := []rollout.Missing{{Verbs: []string{"get", "patch"}, Resource: "secrets", Namespace: "a", For: "release a/p"}}
	if diff := cmp.Diff(want, r.missing()); diff != "" {
		t.Error(diff)
	}
}
