package render

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
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

func discoveryAccess(dgd *v1alpha1.DynamoGraphDeployment, pullSecrets []corev1.LocalObjectReference) *DiscoveryAccess {
	account := DiscoveryServiceAccount(dgd.Name)
	labels := mergeMaps(graphLabels(dgd.Name), rbacLabels(account))
	return &DiscoveryAccess{
		ServiceAccount: serviceAccount(dgd.Namespace, account, labels, pullSecrets),
		Role: &rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: metav1.ObjectMeta{Name: discoveryRole(dgd.Name), Namespace: dgd.Namespace, Labels: labels},
			Rules:      DiscoveryRules(),
		},
		RoleBinding: roleBinding(dgd.Namespace, discoveryRoleBinding(dgd.Name), labels, account,
			rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: discoveryRole(dgd.Name)}),
	}
}

func plannerAccess(namespace, clusterRole string, pullSecrets []corev1.LocalObjectReference) *PlannerAccess {
	labels := rbacLabels(PlannerServiceAccount)
	return &PlannerAccess{
		ServiceAccount: serviceAccount(namespace, PlannerServiceAccount, labels, pullSecrets),
		RoleBinding: roleBinding(namespace, PlannerRoleBinding, labels, PlannerServiceAccount,
			rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}),
	}
}

func serviceAccount(namespace, name string, labels map[string]string, pullSecrets []corev1.LocalObjectReference) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:         metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:       metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		ImagePullSecrets: pullSecrets,
	}
}

func roleBinding(namespace, name string, labels map[string]string, account string, role rbacv1.RoleRef) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		RoleRef:    role,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
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
