package rights

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

const rbacGroup = rbacv1.GroupName

// granted lists what must be held to write a role or a binding: Kubernetes lets
// nobody grant what he does not have, unless he may escalate or bind.
func (r *rights) granted(ctx context.Context, need rollout.Need, namespace string, roles map[session.Identity]chart.Object) ([]want, error) {
	// Whoever only deletes grants nothing.
	if need.Object == nil || need.Object.Group() != rbacGroup || !slices.Contains(need.Verbs, "patch") {
		return nil, nil
	}
	what := need.Object.Kind + " " + need.Object.Name + " of " + need.For
	switch need.Object.Kind {
	case "Role", "ClusterRole":
		rules, err := rulesOf(*need.Object)
		if err != nil {
			return nil, err
		}
		escalate := access{verb: "escalate", group: rbacGroup, resource: resourceOf(need.Object.Kind), name: need.Object.Name, namespace: namespace}
		return grants(rules, namespace, "to grant it by "+what, escalate), nil
	case "RoleBinding", "ClusterRoleBinding":
		return r.bound(ctx, need, namespace, roles, what)
	default:
		return nil, nil
	}
}

func (r *rights) bound(ctx context.Context, need rollout.Need, namespace string, roles map[session.Identity]chart.Object, what string) ([]want, error) {
	var binding rbacv1.RoleBinding
	if err := need.Object.Read(&binding); err != nil {
		return nil, fmt.Errorf("%s: %w", need.Object, err)
	}
	ref := binding.RoleRef
	id := session.Identity{GroupResource: schema.GroupResource{Group: rbacGroup, Resource: ref.Kind}, Name: ref.Name}
	if ref.Kind == "Role" {
		id.Namespace = namespace
	}
	bind := access{verb: "bind", group: rbacGroup, resource: resourceOf(ref.Kind), name: ref.Name, namespace: namespace}
	if role, ours := roles[id]; ours {
		rules, err := rulesOf(role)
		return grants(rules, namespace, "to grant it by "+what, bind), err
	}
	rules, known, err := r.liveRules(ctx, ref, namespace)
	if err != nil {
		return nil, err
	}
	if !known {
		return []want{{access: bind, reason: "to bind " + ref.Kind + " " + ref.Name + " by " + what}}, nil
	}
	return grants(rules, namespace, "to grant it by "+what, bind), nil
}

// liveRules reads a role that is not part of the rollout; one that cannot be
// read is not known.
func (r *rights) liveRules(ctx context.Context, ref rbacv1.RoleRef, namespace string) (rules []rbacv1.PolicyRule, known bool, err error) {
	client := r.session.Kube.RbacV1()
	if ref.Kind == "Role" {
		var role *rbacv1.Role
		if role, err = client.Roles(namespace).Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
			return role.Rules, true, nil
		}
	} else {
		var role *rbacv1.ClusterRole
		if role, err = client.ClusterRoles().Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
			return role.Rules, true, nil
		}
	}
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, false, nil
	}
	return nil, false, r.session.Explain("read "+ref.Kind+" "+ref.Name, err)
}

func rulesOf(role chart.Object) ([]rbacv1.PolicyRule, error) {
	var read struct {
		Rules []rbacv1.PolicyRule `json:"rules"`
	}
	if err := role.Read(&read); err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return read.Rules, nil
}

// grants spells out what the holder of some rules may do.
func grants(rules []rbacv1.PolicyRule, namespace, reason string, instead access) []want {
	var out []want
	add := func(a access) { out = append(out, want{access: a, reason: reason, alternatives: []access{instead}}) }
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range rule.Verbs {
			for _, url := range rule.NonResourceURLs {
				add(access{verb: verb, url: url})
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range names {
						add(access{verb: verb, group: group, resource: resource, name: name, namespace: namespace})
					}
				}
			}
		}
	}
	return out
}

func resourceOf(kind string) string {
	if kind == "ClusterRole" {
		return "clusterroles"
	}
	return "roles"
}
