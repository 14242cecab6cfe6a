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

// GraphObjects is what a graph consists of whatever way it is run, besides its
// claims (see Claim).
type GraphObjects struct {
	// Access is nil where the default ServiceAccount of the namespace will do.
	Access *GraphAccess
	// Shared is what planners and endpoint pickers run as. In restricted mode the
	// chart creates it.
	Shared []SharedAccess
}

// GraphAccess is the ServiceAccount of the pods of one graph. The Role lets
// them discover one another through Kubernetes, and is nil where they do not.
type GraphAccess struct {
	ServiceAccount *corev1.ServiceAccount
	Role           *rbacv1.Role
	RoleBinding    *rbacv1.RoleBinding
}

// SharedAccess lets the planners of a namespace scale its graphs, or its endpoint
// pickers read their pools. All graphs that have one share it, so none of them
// owns it.
type SharedAccess struct {
	ServiceAccount *corev1.ServiceAccount
	RoleBinding    *rbacv1.RoleBinding
}

// Graph renders a graph for which validate.Graph found no error. pullSecrets
// are those of the namespace's default ServiceAccount: pods that run under one
// of ours need them just as much.
func Graph(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, pullSecrets []corev1.LocalObjectReference) *GraphObjects {
	objects := &GraphObjects{Access: graphAccess(dgd, cfg, pullSecrets)}
	if cfg.ClusterWide() && HasPlanner(dgd) {
		objects.Shared = append(objects.Shared, sharedAccess(dgd.Namespace, PlannerServiceAccount, PlannerRoleBinding, cfg.RBAC.PlannerClusterRoleName, cfg, pullSecrets))
	}
	if cfg.ClusterWide() && HasPicker(dgd) {
		objects.Shared = append(objects.Shared, sharedAccess(dgd.Namespace, PickerServiceAccount, PickerRoleBinding, cfg.RBAC.EPPClusterRoleName, cfg, pullSecrets))
	}
	return objects
}

// Components are the services of a graph as components, in the order of their
// names, by the rules of a version.
func Components(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, version Version) []*v1alpha1.DynamoComponentDeployment {
	var components []*v1alpha1.DynamoComponentDeployment
	dgd = inOneWay(dgd, version)
	hash := WorkerHash(dgd, version)
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		components = append(components, graphComponent(dgd, name, cfg, version, hash))
	}
	return components
}

// DiscoveryBackend is the graph's own wish, or else the operator's setting.
func DiscoveryBackend(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration) string {
	return firstOf(dgd.Annotations[v1alpha1.AnnotationDiscoveryBackend], cfg.Discovery.Backend)
}

// HasPlanner reports whether one of the graph's services is a planner.
func HasPlanner(dgd *v1alpha1.DynamoGraphDeployment) bool {
	return len(ofType(dgd, v1alpha1.ComponentTypePlanner)) > 0
}

// ofType are the names of the services of a type, sorted.
func ofType(dgd *v1alpha1.DynamoGraphDeployment, componentType string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if service := dgd.Spec.Services[name]; service != nil && service.ComponentType == componentType {
			names = append(names, name)
		}
	}
	return names
}

// graphComponent is the service as a component that stands for itself: what it
// inherits from the graph is written into its spec. hash is that of the graph's
// workers, "" if they have no generations.
func graphComponent(dgd *v1alpha1.DynamoGraphDeployment, name string, cfg *config.OperatorConfiguration, version Version, hash string) *v1alpha1.DynamoComponentDeployment {
	service := dgd.Spec.Services[name]
	spec := service.DeepCopy()
	spec.ServiceName = name
	spec.DynamoNamespace = LogicalNamespace(dgd, service)
	replicas := service.DesiredReplicas()
	spec.Replicas = &replicas
	spec.Annotations = mergeMaps(service.Annotations, inheritedAnnotations(dgd, cfg))
	inheritEnvs(spec, slices.Concat(generationEnv(spec, hash), dgd.Spec.Envs))
	if spec.ComponentType == v1alpha1.ComponentTypeFrontend && spec.Ingress == nil {
		spec.Ingress = distinctHost(dgd, name, cfg.Ingress)
	}

	labels := map[string]string{
		v1alpha1.LabelComponent: name,
		v1alpha1.LabelNamespace: spec.DynamoNamespace,
	}
	objectName := ComponentName(dgd.Name, name)
	if hash != "" && IsWorker(spec) {
		labels[v1alpha1.LabelWorkerHash] = hash
		objectName += "-" + hash
	}
	return &v1alpha1.DynamoComponentDeployment{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindComponentDeployment},
		ObjectMeta: metav1.ObjectMeta{
			Name:        objectName,
			Namespace:   dgd.Namespace,
			Labels:      mergeMaps(free(service.Labels), labels, graphLabels(dgd.Name), managedBy()),
			Annotations: version.annotation(),
		},
		Spec: v1alpha1.DynamoComponentDeploymentSpec{
			BackendFramework:                    dgd.Spec.BackendFramework,
			DynamoComponentDeploymentSharedSpec: *spec,
		},
	}
}

// inheritedAnnotations are those of the graph that concern its components. The
// discovery backend is written down in every case, so that a change of the
// operator's setting reaches the components through their spec.
func inheritedAnnotations(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration) map[string]string {
	inherited := map[string]string{v1alpha1.AnnotationDiscoveryBackend: DiscoveryBackend(dgd, cfg)}
	for _, key := range []string{v1alpha1.AnnotationEnableMetrics, v1alpha1.AnnotationOperatorOriginVersion} {
		if value, ok := dgd.Annotations[key]; ok {
			inherited[key] = value
		}
	}
	return inherited
}

// inheritEnvs puts the graph's variables below those of the main container.
func inheritEnvs(spec *v1alpha1.DynamoComponentDeploymentSharedSpec, envs []corev1.EnvVar) {
	if len(envs) == 0 {
		return
	}
	if spec.ExtraPodSpec == nil {
		spec.ExtraPodSpec = &v1alpha1.ExtraPodSpec{}
	}
	if spec.ExtraPodSpec.MainContainer == nil {
		spec.ExtraPodSpec.MainContainer = &corev1.Container{Name: v1alpha1.MainContainerName}
	}
	main := spec.ExtraPodSpec.MainContainer
	main.Env = mergeEnv(envs, main.Env)
}

func graphLabels(graph string) map[string]string {
	return map[string]string{v1alpha1.LabelGraphDeploymentName: graph}
}
