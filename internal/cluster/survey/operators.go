package survey

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Labels by which an operator's objects are recognised: ours carry part-of,
// older published charts only the chart's name.
const (
	partOfOperator = marks.PartOf + "=" + marks.PartOfOperator
	namedOperator  = "app.kubernetes.io/name=dynamo-operator," + marks.PartOf + "!=" + marks.PartOfOperator
)

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// operators finds the operators that the cluster has. Proof is a role that lets
// its holder write graphs: a ClusterRole of a cluster-wide one, a Role in the
// namespace that a restricted one serves. Deployments and marker Leases can be
// written by whoever may edit their namespace, so they are claims, about that
// namespace only.
func (v *survey) operators(ctx context.Context) error {
	selectors := []string{partOfOperator, namedOperator}
	clusterRoles, roles := make([][]rbacv1.ClusterRole, len(selectors)), make([][]rbacv1.Role, len(selectors))
	claims := make([][]*metav1.PartialObjectMetadata, len(selectors))
	var leases []coordinationv1.Lease
	var asks []func() error
	for i, selector := range selectors {
		options := metav1.ListOptions{LabelSelector: selector}
		asks = append(asks, func() error {
			list, err := v.Kube.RbacV1().ClusterRoles().List(ctx, options)
			if err == nil {
				clusterRoles[i] = list.Items
			}
			return err
		}, func() (err error) {
			roles[i], err = v.roles(ctx, options)
			return err
		}, func() error {
			return v.each(ctx, deployments, options, func(m *metav1.PartialObjectMetadata) { claims[i] = append(claims[i], m) })
		})
	}
	asks = append(asks, func() error {
		list, err := v.Kube.CoordinationV1().Leases("").List(ctx, withName(v1alpha1.NamespaceScopeLease))
		if err == nil {
			leases = list.Items
		}
		return err
	})
	if err := together(asks); err != nil {
		return err
	}
	found := operatorsFound{}
	for i := range selectors {
		found.roles(clusterRoles[i], roles[i])
	}
	for _, m := range slices.Concat(claims...) {
		found.deployment(m)
	}
	found.leased(leases)
	v.found.Operators = slices.SortedFunc(maps.Values(found), func(a, b check.Operator) int {
		return cmp.Or(strings.Compare(a.Release.String(), b.Release.String()), strings.Compare(a.Serves, b.Serves))
	})
	return nil
}

// together asks all at once. Of several errors, the first ask's counts, so that the
// same is said each time.
func together(asks []func() error) error {
	errs := make([]error, len(asks))
	var group sync.WaitGroup
	for i, ask := range asks {
		group.Go(func() { errs[i] = ask() })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// roles are those of restricted operators. Who may not list them has no proof.
func (v *survey) roles(ctx context.Context, options metav1.ListOptions) ([]rbacv1.Role, error) {
	roles, err := v.Kube.RbacV1().Roles("").List(ctx, options)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return roles.Items, nil
}

// operatorsFound are operators by release.
type operatorsFound map[fleet.Key]check.Operator

// roles adds the operators that some roles prove.
func (f operatorsFound) roles(cluster []rbacv1.ClusterRole, namespaced []rbacv1.Role) {
	for i := range cluster {
		if writesGraphs(cluster[i].Rules) {
			f.proven(&cluster[i], fleet.ScopeCluster, "ClusterRole "+cluster[i].Name)
		}
	}
	for i := range namespaced {
		if role := &namespaced[i]; writesGraphs(role.Rules) {
			f.proven(role, fleet.ScopeNamespace, "Role "+role.Namespace+"/"+role.Name)
		}
	}
}

// leased adds what marker Leases claim of namespaces of which nothing else tells.
// How long they are valid does not matter: they are looked at by people.
func (f operatorsFound) leased(leases []coordinationv1.Lease) {
	for i := range leases {
		if l := &leases[i]; lease.Duration(l) > 0 {
			f.claim(fleet.Key{Namespace: l.Namespace}, "Lease "+l.Namespace+"/"+l.Name, "")
		}
	}
}

// proven adds an operator by one of its roles; the widest scope wins. Who may
// write roles may say what release they are of.
func (f operatorsFound) proven(role metav1.Object, scope, by string) {
	key := marks.ReleaseOf(role)
	if key.Namespace == "" {
		key.Namespace = cmp.Or(role.GetLabels()[v1alpha1.LabelOperatorNamespace], role.GetNamespace())
	}
	if known, before := f[key]; before && known.Scope == fleet.ScopeCluster {
		return
	}
	f[key] = check.Operator{
		Release: key, Scope: scope, Serves: role.GetNamespace(), Found: by, Proven: true, Version: role.GetLabels()["app.kubernetes.io/version"],
	}
}

// deployment adds what a Deployment claims. One that something controls was made
// by a program, such as an operator from a graph, with the labels of its author.
func (f operatorsFound) deployment(m *metav1.PartialObjectMetadata) {
	if metav1.GetControllerOf(m) != nil {
		return
	}
	f.claim(releaseIn(m), "Deployment "+m.Namespace+"/"+m.Name, m.Labels["app.kubernetes.io/version"])
}

// claim adds an operator of which somebody says that it is in a namespace, unless
// one that is known has that release, or serves the namespace.
func (f operatorsFound) claim(key fleet.Key, by, version string) {
	for _, known := range f {
		if known.Release == key || known.Serves == key.Namespace && (key.Name == "" || !known.Proven) {
			return
		}
	}
	f[key] = check.Operator{Release: key, Scope: fleet.ScopeNamespace, Serves: key.Namespace, Found: by, Version: version}
}

// releaseIn is the release of a namespaced object as far as it may say so itself:
// one of its own namespace.
func releaseIn(m metav1.Object) fleet.Key {
	if key := marks.ReleaseOf(m); key.Namespace == m.GetNamespace() {
		return key
	}
	return fleet.Key{Namespace: m.GetNamespace()}
}

// writesGraphs reports whether rules let their holder change graphs.
func writesGraphs(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return containsAny(r.APIGroups, v1alpha1.GroupName, "*") &&
			containsAny(r.Resources, "dynamocomponentdeployments", "*") &&
			containsAny(r.Verbs, "delete", "*")
	})
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
// have fixed names, and their rights are the cluster's.
func (v *survey) installations(ctx context.Context) error {
	var namespaces []string
	for _, p := range programs {
		err := v.each(ctx, deployments, withName(p.deployment), func(m *metav1.PartialObjectMetadata) {
			if metav1.GetControllerOf(m) != nil {
				return
			}
			namespaces = append(namespaces, m.Namespace)
			v.found.Installations = append(v.found.Installations, check.Installation{
				Program: p.program, Release: releaseIn(m), Found: "Deployment " + m.Namespace + "/" + m.Name,
			})
		})
		if err != nil {
			return err
		}
	}
	if len(v.found.Installations) == 0 {
		return nil
	}
	bound, err := v.boundNamespaces(ctx)
	for i, namespace := range namespaces {
		v.found.Installations[i].Proven = bound[namespace]
	}
	return err
}

// boundNamespaces are those with a ServiceAccount that has a right in the whole
// cluster. Who may not read that has no proof.
func (v *survey) boundNamespaces(ctx context.Context) (map[string]bool, error) {
	bindings, err := v.Kube.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bound := map[string]bool{}
	for _, binding := range bindings.Items {
		for _, subject := range binding.Subjects {
			if subject.Kind == rbacv1.ServiceAccountKind {
				bound[subject.Namespace] = true
			}
		}
	}
	return bound, nil
}
