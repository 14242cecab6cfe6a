package render

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// Names of the objects that all profiling Jobs of a namespace share. In restricted
// mode the chart creates the account, with a binding of its own.
const (
	ProfilingServiceAccount = "dgdr-profiling-job"
	ProfilingRoleBinding    = "dgdr-profiling-job-binding"
)

// ProfilingOutput is the name of the ConfigMap that takes the results of a request,
// and of the Role by which its Job may write there.
func ProfilingOutput(request string) string { return "dgdr-output-" + request }

// ProfilingAccess is what the pods of profiling Jobs run as. They may profile
// graphs in their namespace by the role of the chart.
func ProfilingAccess(namespace string, cfg *config.OperatorConfiguration, pullSecrets []corev1.LocalObjectReference) (*corev1.ServiceAccount, *rbacv1.RoleBinding) {
	labels := rbacLabels(ProfilingServiceAccount)
	return serviceAccount(namespace, ProfilingServiceAccount, labels, cfg, pullSecrets),
		roleBinding(namespace, ProfilingRoleBinding, labels,
			rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: cfg.RBAC.DGDRProfilingClusterRoleName}, ProfilingServiceAccount)
}

// ProfilingResults are the ConfigMap that takes a request's results, and the right
// to write to it and to no other.
func ProfilingResults(r *v1alpha1.DynamoGraphDeploymentRequest) (*corev1.ConfigMap, *rbacv1.Role, *rbacv1.RoleBinding) {
	meta := metav1.ObjectMeta{
		Name: ProfilingOutput(r.Name), Namespace: r.Namespace,
		Labels: mergeMaps(managedBy(), map[string]string{v1alpha1.LabelRequestName: r.Name, v1alpha1.LabelManagedBy: Manager}),
	}
	output := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: *meta.DeepCopy()}
	role := &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: meta,
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{output.Name}, Verbs: []string{"patch"}}},
	}
	binding := roleBinding(r.Namespace, output.Name, meta.Labels, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, ProfilingServiceAccount)
	return output, role, binding
}
