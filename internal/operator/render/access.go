package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// DiscoveryRules are what a component needs in order to publish itself and to
// find the others. The operator holds them too, since nobody can grant what he
// has not got.
func DiscoveryRules() []rbacv1.PolicyRule {
	read := []string{"get", "list", "watch"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"endpoints"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		{
			APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"dynamoworkermetadatas"},
			Verbs: []string{"create", "get", "list", "watch", "update", "patch", "delete"},
		},
	}
}

// graphAccess is what the graph's pods run as, and what that may do. It is nil
// where the default ServiceAccount of the namespace does.
func graphAccess(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, pullSecrets []corev1.LocalObjectReference) *GraphAccess {
	account := graphServiceAccount(dgd.Name, DiscoveryBackend(dgd, cfg), cfg)
	if account == "" {
		return nil
	}
	labels := mergeMaps(graphLabels(dgd.Name), rbacLabels(account))
	access := &GraphAccess{ServiceAccount: serviceAccount(dgd.Namespace, account, labels, cfg, pullSecrets)}
	if account == DiscoveryServiceAccount(dgd.Name) {
		access.allowDiscovery(dgd, labels)
	}
	return access
}

// graphServiceAccount is the ServiceAccount of a graph's pods, or "" for that
// of their namespace: for discovery through Kubernetes they need rights, and
// otherwise perhaps what the configuration says that all components have.
func graphServiceAccount(graph, discovery string, cfg *config.OperatorConfiguration) string {
	switch {
	case discovery == config.DiscoveryKubernetes:
		return DiscoveryServiceAccount(graph)
	case len(cfg.Components.ServiceAccountAnnotations) > 0 || len(cfg.Components.ImagePullSecrets) > 0:
		return graph + "-component"
	default:
		return ""
	}
}

func (a *GraphAccess) allowDiscovery(dgd *v1alpha1.DynamoGraphDeployment, labels map[string]string) {
	a.Role = &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: metav1.ObjectMeta{Name: discoveryRole(dgd.Name), Namespace: dgd.Namespace, Labels: labels},
		Rules:      DiscoveryRules(),
	}
	a.RoleBinding = roleBinding(dgd.Namespace, discoveryRoleBinding(dgd.Name), labels,
		rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: a.Role.Name},
		append([]string{a.ServiceAccount.Name}, ownAccounts(dgd)...)...)
}

// ownAccounts are the ServiceAccounts that services of a graph name for
// themselves, sorted: their pods have to find the others, too.
func ownAccounts(dgd *v1alpha1.DynamoGraphDeployment) []string {
	accounts := map[string]bool{}
	for _, service := range dgd.Spec.Services {
		if service == nil || service.ExtraPodSpec == nil || service.ExtraPodSpec.PodSpec == nil {
			continue
		}
		pod := service.ExtraPodSpec.PodSpec
		if name := firstOf(pod.ServiceAccountName, pod.DeprecatedServiceAccount); name != "" {
			accounts[name] = true
		}
	}
	delete(accounts, DiscoveryServiceAccount(dgd.Name))
	return slices.Sorted(maps.Keys(accounts))
}

func sharedAccess(namespace, account, binding, clusterRole string, cfg *config.OperatorConfiguration, pullSecrets []corev1.LocalObjectReference) SharedAccess {
	labels := rbacLabels(account)
	return SharedAccess{
		ServiceAccount: serviceAccount(namespace, account, labels, cfg, pullSecrets),
		RoleBinding:    roleBinding(namespace, binding, labels, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}, account),
	}
}

// serviceAccount refers to the pull secrets of the namespace's default one, and
// to those that the configuration names for all components.
func serviceAccount(namespace, name string, labels map[string]string, cfg *config.OperatorConfiguration, pullSecrets []corev1.LocalObjectReference) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, Labels: labels,
			Annotations: maps.Clone(cfg.Components.ServiceAccountAnnotations),
		},
		ImagePullSecrets: mergeByKey(pullSecrets, pullSecretsOf(cfg), pullSecret),
	}
}

func pullSecretsOf(cfg *config.OperatorConfiguration) []corev1.LocalObjectReference {
	var secrets []corev1.LocalObjectReference
	for _, name := range cfg.Components.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}

func roleBinding(namespace, name string, labels map[string]string, role rbacv1.RoleRef, accounts ...string) *rbacv1.RoleBinding {
	var subjects []rbacv1.Subject
	for _, account := range accounts {
		subjects = append(subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace})
	}
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		RoleRef:    role,
		Subjects:   subjects,
	}
}

func rbacLabels(account string) map[string]string {
	labels := mergeMaps(managedBy(), map[string]string{"app.kubernetes.io/component": "rbac"})
	// A label value has at most 63 characters, a ServiceAccount's name 253.
	if len(account) <= 63 {
		labels["app.kubernetes.io/name"] = account
	}
	return labels
}
