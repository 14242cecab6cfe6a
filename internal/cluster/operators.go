package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Labels by which an operator's objects are recognised: ours carry part-of,
// older published charts only the chart's name.
const (
	operatorNamespaceLabel = "nvidia.com/dynamo-operator-namespace"
	partOfOperator         = "app.kubernetes.io/part-of=dynamo-operator"
	namedOperator          = "app.kubernetes.io/name=dynamo-operator"
	// markerLease is held by a restricted operator in its namespace.
	markerLease = "dynamo-operator-namespace-scope"
)

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// operators finds the operators that the cluster has, by owner labels, release
// identity and the marker Lease. An operator is cluster-wide if a ClusterRole
// of it may write graphs.
func (v *survey) operators(ctx context.Context) error {
	found := map[fleet.Key]check.Operator{}
	for _, selector := range []string{partOfOperator, namedOperator} {
		options := metav1.ListOptions{LabelSelector: selector}
		err := v.each(ctx, deployments, options, func(m *metav1.PartialObjectMetadata) {
			add(found, m, "Deployment "+m.Namespace+"/"+m.Name, fleet.ScopeNamespace)
		})
		if err != nil {
			return err
		}
		roles, err := v.Kube.RbacV1().ClusterRoles().List(ctx, options)
		if err != nil {
			return err
		}
		for _, role := range roles.Items {
			if writesGraphs(role.Rules) {
				add(found, &role, "ClusterRole "+role.Name, fleet.ScopeCluster)
			}
		}
	}
	if err := v.leased(ctx, found); err != nil {
		return err
	}
	v.found.Operators = slices.SortedFunc(maps.Values(found), func(a, b check.Operator) int {
		return strings.Compare(a.Release.String(), b.Release.String())
	})
	return nil
}

// leased adds restricted operators of which only the Lease tells.
func (v *survey) leased(ctx context.Context, found map[fleet.Key]check.Operator) error {
	leases, err := v.Kube.CoordinationV1().Leases("").List(ctx, withName(markerLease))
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for key := range found {
		known[key.Namespace] = true
	}
	for _, lease := range leases.Items {
		held := ptr.Deref(lease.Spec.HolderIdentity, "") != "" && !expired(&lease)
		if !held || known[lease.Namespace] {
			continue
		}
		key := fleet.Key{Namespace: lease.Namespace}
		found[key] = check.Operator{Release: key, Scope: fleet.ScopeNamespace, Found: "Lease " + lease.Namespace + "/" + lease.Name, Leased: true}
	}
	return nil
}

// add records one object of an operator; its widest scope wins.
func add(found map[fleet.Key]check.Operator, m metav1.Object, by, scope string) {
	key := ReleaseOf(m)
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

// expired is about a Lease that is looked at once.
func expired(lease *coordinationv1.Lease) bool {
	if lease.Spec.RenewTime == nil {
		return true
	}
	duration := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
	return time.Since(lease.Spec.RenewTime.Time) > duration
}

func containsAny(words []string, wanted ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(wanted, w) })
}

// programs are what a cluster can have once, by the name of their Deployment.
var programs = []struct{ deployment, program string }{
	{"grove-operator", check.ProgramGrove},
	{"kai-operator", check.ProgramKAI},
}

// installations finds Grove and KAI, whoever installed them. Their Deployments
// have fixed names.
func (v *survey) installations(ctx context.Context) error {
	for _, p := range programs {
		err := v.each(ctx, deployments, withName(p.deployment), func(m *metav1.PartialObjectMetadata) {
			release := ReleaseOf(m)
			if release.Name == "" {
				release.Namespace = m.Namespace
			}
			v.found.Installations = append(v.found.Installations, check.Installation{
				Program: p.program, Release: release, Found: "Deployment " + m.Namespace + "/" + m.Name,
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
