package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Labels by which an operator's objects are recognised: ours carry part-of,
// older published charts only the chart's name.
const (
	operatorNamespaceLabel = "nvidia.com/dynamo-operator-namespace"
	partOfOperator         = "app.kubernetes.io/part-of=dynamo-operator"
	namedOperator          = "app.kubernetes.io/name=dynamo-operator"
)

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// Operators lists the operators that the cluster has, by owner labels and
// release identity. An operator is cluster-wide if a ClusterRole of it may
// write graphs.
func (s *Session) Operators(ctx context.Context) ([]check.Operator, error) {
	found := map[fleet.Key]check.Operator{}
	for _, selector := range []string{partOfOperator, namedOperator} {
		err := s.eachMetadata(ctx, deployments, selector, func(m *metav1.PartialObjectMetadata) {
			add(found, m, "Deployment "+m.Namespace+"/"+m.Name, fleet.ScopeNamespace)
		})
		if err != nil {
			return nil, err
		}
		roles, err := s.Kube.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, s.explain("list cluster roles", err)
		}
		for _, role := range roles.Items {
			if writesGraphs(role.Rules) {
				add(found, &role, "ClusterRole "+role.Name, fleet.ScopeCluster)
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b check.Operator) int {
		return strings.Compare(a.Release.String(), b.Release.String())
	}), nil
}

// add records one object of an operator; its widest scope wins.
func add(found map[fleet.Key]check.Operator, m metav1.Object, by, scope string) {
	key := releaseOf(m)
	if key.Namespace == "" {
		key.Namespace = m.GetLabels()[operatorNamespaceLabel]
	}
	if key.Namespace == "" {
		key.Namespace = m.GetNamespace()
	}
	operator, known := found[key]
	if !known {
		operator = check.Operator{Release: key, Scope: scope, Found: by}
	}
	if scope == fleet.ScopeCluster && operator.Scope != scope {
		operator.Scope, operator.Found = scope, by
	}
	if version := m.GetLabels()["app.kubernetes.io/version"]; version != "" {
		operator.Version = version
	}
	found[key] = operator
}

// writesGraphs reports whether rules let their holder change graphs.
func writesGraphs(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return containsAny(r.APIGroups, "nvidia.com", "*") &&
			containsAny(r.Resources, "dynamocomponentdeployments", "*") &&
			containsAny(r.Verbs, "delete", "*")
	})
}

func containsAny(words []string, wanted ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(wanted, w) })
}
