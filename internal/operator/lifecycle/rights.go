package lifecycle

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Verbs that go together.
var (
	Read  = []string{"get", "list", "watch"}
	Write = append(slices.Clone(Read), "create", "patch") // server-side apply creates by patch
	Full  = append(slices.Clone(Write), "delete")
)

// Rule allows verbs on one resource.
func Rule(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// Named limits a rule to one object.
func Named(rule rbacv1.PolicyRule, name string) rbacv1.PolicyRule {
	rule.ResourceNames = []string{name}
	return rule
}

// Rules are all rights that looking after the kind needs, where its objects live.
func (k Kind) Rules(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		Rule(v1alpha1.GroupName, k.Resource, Read...),
		Rule(v1alpha1.GroupName, k.Resource+"/status", "patch"),
	}
	if k.Finalizer {
		rules = append(rules, Rule(v1alpha1.GroupName, k.Resource, "patch"))
	}
	if k.Owned != nil && len(k.Owned(render.Capabilities{Checkpoints: cfg.Checkpoint.Enabled})) > 0 {
		// To own objects where OwnerReferencesPermissionEnforcement is on.
		rules = append(rules, Rule(v1alpha1.GroupName, k.Resource+"/finalizers", "update"))
	}
	if k.Rights != nil {
		rules = append(rules, k.Rights(cfg)...)
	}
	return rules
}
