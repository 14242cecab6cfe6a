package render

import (
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ManagedByLabel with value Manager is on every object that the operator
// creates; its caches see only those.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	Manager        = "dynamo-operator"
)

// Names of the objects that all graphs of a namespace with a planner share, and
// all with an endpoint picker.
const (
	PlannerServiceAccount = "planner-serviceaccount"
	PlannerRoleBinding    = "planner-serviceaccount-binding"
	PickerServiceAccount  = "epp-serviceaccount"
	PickerRoleBinding     = "epp-serviceaccount-binding"
)

const globalNamespace = "dynamo"

// ComponentName is the name of a service's component and of its workload,
// Service and Ingress.
func ComponentName(graph, service string) string {
	return graph + "-" + strings.ToLower(service)
}

// LogicalNamespace is the namespace in which a service registers itself with
// the runtime; it has nothing to do with the service's Kubernetes namespace
// but the name.
func LogicalNamespace(graph *v1alpha1.DynamoGraphDeployment, service *v1alpha1.DynamoComponentDeploymentSharedSpec) string {
	if service.GlobalDynamoNamespace {
		return globalNamespace
	}
	return graph.Namespace + "-" + graph.Name
}

// DiscoveryServiceAccount is the ServiceAccount of a graph's pods when they
// discover one another through Kubernetes.
func DiscoveryServiceAccount(graph string) string {
	return graph + "-k8s-service-discovery"
}

func discoveryRole(graph string) string        { return DiscoveryServiceAccount(graph) + "-role" }
func discoveryRoleBinding(graph string) string { return DiscoveryServiceAccount(graph) + "-binding" }
