package survey

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

func role(namespace string, key fleet.Key) *rbacv1.Role {
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "r", Namespace: namespace}}
	marks.GiveRelease(role, key)
	return role
}

func deployment(namespace string, key fleet.Key) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: namespace}}
	marks.GiveRelease(m, key)
	return m
}

func TestARoleProvesAndADeploymentClaims(t *testing.T) {
	ours := fleet.Key{Namespace: "platform", Name: "p"}
	found := operatorsFound{}
	found.proven(role("tenant", ours), fleet.ScopeNamespace, "Role tenant/r")
	found.deployment(deployment("platform", ours))
	found.claim(fleet.Key{Namespace: "tenant"}, "Lease tenant/l", "")
	if len(found) != 1 || !found[ours].Proven || found[ours].Serves != "tenant" {
		t.Errorf("one operator was found as %+v", found)
	}
}

func TestTheWidestScopeCounts(t *testing.T) {
	key := fleet.Key{Namespace: "platform", Name: "p"}
	found := operatorsFound{}
	found.proven(role("", key), fleet.ScopeCluster, "ClusterRole r")
	found.proven(role("tenant", key), fleet.ScopeNamespace, "Role tenant/r")
	if got := found[key]; got.Scope != fleet.ScopeCluster {
		t.Errorf("got %+v", got)
	}
}

// What a tenant writes in its namespace says nothing about another one.
func TestAClaimIsAboutItsOwnNamespace(t *testing.T) {
	found := operatorsFound{}
	found.deployment(deployment("tenant", fleet.Key{Namespace: "platform", Name: "p"}))
	for key, o := range found {
		if key.Namespace != "tenant" || o.Serves != "tenant" || o.Proven {
			t.Errorf("it counts as %+v", o)
		}
	}
	if len(found) != 1 {
		t.Errorf("found %+v", found)
	}
}

// A graph's pods carry the labels that its author gives them.
func TestWhatAProgramMadeIsNoOperator(t *testing.T) {
	m, yes := deployment("tenant", fleet.Key{}), true
	m.OwnerReferences = []metav1.OwnerReference{{Kind: "DynamoComponentDeployment", Name: "c", Controller: &yes}}
	found := operatorsFound{}
	found.deployment(m)
	if len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

func TestWhoWritesGraphs(t *testing.T) {
	for _, test := range []struct {
		name string
		rule rbacv1.PolicyRule
		want bool
	}{
		{"an operator", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"dynamocomponentdeployments"}, Verbs: []string{"get", "delete"}}, true},
		{"an administrator", rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}, true},
		{"a reader", rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"*"}, Verbs: []string{"get"}}, false},
		{"of another group", rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"*"}, Verbs: []string{"*"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := writesGraphs([]rbacv1.PolicyRule{test.rule}); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTheDomainInACorefile(t *testing.T) {
	match := corefile.FindStringSubmatch(".:53 {\n    errors\n    kubernetes cluster.example in-addr.arpa ip6.arpa {\n    }\n}\n")
	if match == nil || match[1] != "cluster.example" {
		t.Errorf("got %v", match)
	}
}
