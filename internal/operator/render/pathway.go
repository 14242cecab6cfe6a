package render

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Capabilities are what the operator can use of the cluster, besides Kubernetes.
type Capabilities struct {
	// VirtualServices: the cluster has Istio and the configuration a gateway.
	VirtualServices bool
}

// UnsupportedError says what a graph needs that this operator, or the cluster,
// has not got. Nothing of such a graph is created.
type UnsupportedError struct {
	Service string
	// Need is the rest of the sentence that begins with the service.
	Need string
	// Multinode is true when what is missing is a way over several nodes.
	Multinode bool
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("service %s: %s", e.Service, e.Need)
}

// multinodeNeed advises nothing: no orchestrator would help.
const multinodeNeed = "multinode.nodeCount is above 1, and this version of the operator runs every service on one node, " +
	"with or without Grove or LeaderWorkerSet: use one node with enough GPUs, or leave the graph to an operator that has it"

// CheckPathway is the one place that decides how a graph is deployed. So far
// there is one way, a Deployment per service, and the error names the first
// service that cannot go it.
func CheckPathway(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities) error {
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if err := CheckService(name, dgd.Spec.Services[name], cluster); err != nil {
			return err
		}
	}
	return nil
}

// CheckService is CheckPathway for a single service or component.
func CheckService(name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec, cluster Capabilities) error {
	need := func(sentence string) error { return &UnsupportedError{Service: name, Need: sentence} }
	switch {
	case service.NodeCount() > 1:
		return &UnsupportedError{Service: name, Need: multinodeNeed, Multinode: true}
	case service.ComponentType == v1alpha1.ComponentTypeEPP:
		return need("componentType epp needs the Gateway API inference extension, which this version of the operator does not support")
	case service.Checkpoint != nil && service.Checkpoint.Enabled:
		return need("checkpoint.enabled needs checkpoint support, which this version of the operator does not have")
	case service.Ingress != nil && service.Ingress.Enabled && service.Ingress.UseVirtualService && !cluster.VirtualServices:
		return need("ingress.useVirtualService needs Istio in the cluster and a gateway in the operator's configuration (dynamo.istio): use an Ingress")
	}
	return nil
}
