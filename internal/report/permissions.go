package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Permissions prints the rights that a user lacks, and manifests that grant them:
// apart what takes an administrator of the cluster, once, and what whoever
// administers the fleet's namespaces can do.
func Permissions(w io.Writer, e *rollout.PermissionError) error {
	parts := slices.DeleteFunc([]rightsOf{
		{"An administrator of the cluster, once", e.Outside()},
		{"Whoever administers the fleet's namespaces", e.Inside()},
	}, func(p rightsOf) bool { return len(p.missing) == 0 })
	for _, part := range parts {
		fmt.Fprintf(w, "%s:\n", part.who)
		if err := missingTable(w, part.missing); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	for _, part := range parts {
		if _, err := fmt.Fprintf(w, "# %s can apply this:\n", part.who); err != nil {
			return err
		}
		if err := grant(w, e, part.missing); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// rightsOf are missing rights and who can grant them.
type rightsOf struct {
	who     string
	missing []rollout.Missing
}

func missingTable(w io.Writer, missing []rollout.Missing) error {
	rows := [][]string{}
	last := map[string]int{}
	for _, m := range missing {
		what := m.URL
		if m.Resource != "" {
			what = resourceName(m)
		}
		where := m.Namespace
		if where == "" {
			where = "(cluster)"
		}
		verbs := strings.Join(m.Verbs, ",")
		// Resources that need the same for the same share a row.
		key := verbs + "\x00" + where + "\x00" + m.For
		if i, known := last[key]; known && len(rows[i][1])+len(what) < 60 {
			rows[i][1] += "," + what
			continue
		}
		last[key] = len(rows)
		rows = append(rows, []string{verbs, what, where, m.For})
	}
	return Table(w, []string{"MISSING VERBS", "RESOURCES", "NAMESPACE", "NEEDED FOR"}, rows)
}

func resourceName(m rollout.Missing) string {
	name := m.Resource
	if m.Group != "" {
		name += "." + m.Group
	}
	if m.Name != "" {
		name += "/" + m.Name
	}
	return name
}

// grant prints a ClusterRole for what is needed in the whole cluster and a Role
// for each namespace, bound to the user.
func grant(w io.Writer, e *rollout.PermissionError, missing []rollout.Missing) error {
	rules := map[string][]rbacv1.PolicyRule{}
	for _, m := range missing {
		rules[m.Namespace] = withRule(rules[m.Namespace], ruleFor(m))
	}
	name := "wheelhouse-" + e.Fleet
	var objects []any
	for _, namespace := range slices.Sorted(maps.Keys(rules)) {
		if namespace == "" {
			objects = append(objects, clusterGrant(name, rules[namespace], e.User)...)
			continue
		}
		objects = append(objects, namespaceGrant(namespace, name, rules[namespace], e.User)...)
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

func ruleFor(m rollout.Missing) rbacv1.PolicyRule {
	if m.URL != "" {
		return rbacv1.PolicyRule{NonResourceURLs: []string{m.URL}, Verbs: m.Verbs}
	}
	rule := rbacv1.PolicyRule{APIGroups: []string{m.Group}, Resources: []string{m.Resource}, Verbs: m.Verbs}
	if m.Name != "" {
		rule.ResourceNames = []string{m.Name}
	}
	return rule
}

// withRule adds a rule, to one that differs in its resources or verbs only
// where there is one.
func withRule(rules []rbacv1.PolicyRule, add rbacv1.PolicyRule) []rbacv1.PolicyRule {
	for i, r := range rules {
		if !slices.Equal(r.APIGroups, add.APIGroups) || !slices.Equal(r.ResourceNames, add.ResourceNames) || !slices.Equal(r.NonResourceURLs, add.NonResourceURLs) {
			continue
		}
		if slices.Equal(r.Resources, add.Resources) {
			rules[i].Verbs = union(r.Verbs, add.Verbs)
			return rules
		}
	}
	for i, r := range rules {
		if slices.Equal(r.APIGroups, add.APIGroups) && len(r.ResourceNames)+len(add.ResourceNames) == 0 && slices.Equal(r.Verbs, add.Verbs) && add.NonResourceURLs == nil {
			rules[i].Resources = union(r.Resources, add.Resources)
			return rules
		}
	}
	return append(rules, add)
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func clusterGrant(name string, rules []rbacv1.PolicyRule, user string) []any {
	return []any{
		rbacv1.ClusterRole{
			TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"}, ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules,
		},
		rbacv1.ClusterRoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: subject(user),
		},
	}
}

func namespaceGrant(namespace, name string, rules []rbacv1.PolicyRule, user string) []any {
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	return []any{
		rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"}, ObjectMeta: meta, Rules: rules},
		rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"}, ObjectMeta: meta,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: subject(user),
		},
	}
}

// subject is a user or, by the form of the name, a ServiceAccount.
func subject(user string) []rbacv1.Subject {
	if parts := strings.Split(user, ":"); len(parts) == 4 && parts[0] == "system" && parts[1] == "serviceaccount" {
		return []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: parts[2], Name: parts[3]}}
	}
	if user == "" {
		user = "NAME-OF-THE-USER"
	}
	return []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}}
}
