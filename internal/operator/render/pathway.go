package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Capabilities are what the operator can use of the cluster, besides Kubernetes.
type Capabilities struct {
	// VirtualServices: the cluster has Istio and the configuration a gateway.
	VirtualServices bool
	// LeaderWorkerSets: the cluster has the API of LeaderWorkerSet.
	LeaderWorkerSets bool
}

// UnsupportedError says what a graph needs that this operator, or the cluster,
// has not got. Nothing of such a graph is created.
type UnsupportedError struct {
	Service string
	// Need is the rest of the sentence that begins with the service.
	Need string
	// MissingAPI is true when a way over several nodes is missing in the cluster:
	// the graph goes on by itself when the API is there.
	MissingAPI bool
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("service %s: %s", e.Service, e.Need)
}

const missingLeaderWorkerSets = "multinode.nodeCount is above 1, and the operator has no API that runs groups of pods: " +
	"install LeaderWorkerSet (leaderworkerset.x-k8s.io/v1), and the graph goes on by itself; " +
	"an operator of one namespace needs leaderWorkerSet.enabled in its values, too"

// Kinds of workloads, as reasons of the condition PathwayChosen.
const (
	pathDeployment      = string(v1alpha1.ComponentKindDeployment)
	pathLeaderWorkerSet = string(v1alpha1.ComponentKindLeaderWorkerSet)
)

// Path is how a graph is run. It follows from the graph alone; the cluster only
// decides whether it can be gone.
type Path struct {
	// Name is the workload of the services that decide it.
	Name string
	// Why is a sentence for the graph's author.
	Why string
	// Loose names the services whose groups of pods are not scheduled as one.
	Loose []string
}

// PathwayOf is the one place that decides how a graph is run. The error names
// the first service that cannot be.
func PathwayOf(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities) (Path, error) {
	var groups []string
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		if err := CheckService(name, dgd.Spec.BackendFramework, service, cluster); err != nil {
			return Path{}, err
		}
		if service.NodeCount() > 1 {
			groups = append(groups, name)
		}
	}
	if len(groups) == 0 {
		return Path{Name: pathDeployment, Why: "each service is a Deployment: none needs several nodes"}, nil
	}
	return Path{
		Name: pathLeaderWorkerSet, Loose: groups,
		Why: fmt.Sprintf("several nodes are needed by %s, each a LeaderWorkerSet; every other service is a Deployment", strings.Join(groups, ", ")),
	}, nil
}

// CheckService returns why a service, or a component, cannot be run, nil if it can.
func CheckService(name string, declared v1alpha1.BackendFramework, service *v1alpha1.DynamoComponentDeploymentSharedSpec, cluster Capabilities) error {
	engine, _ := Engine(declared, service) // what is wrong with it is a matter of validation
	need := func(sentence string) error { return &UnsupportedError{Service: name, Need: sentence} }
	switch {
	case service.NodeCount() > 1 && !cluster.LeaderWorkerSets:
		return &UnsupportedError{Service: name, Need: missingLeaderWorkerSets, MissingAPI: true}
	case service.NodeCount() > 1 && engine == v1alpha1.BackendFrameworkTRTLLM:
		return need("multinode.nodeCount is above 1, and this version of the operator does not start TensorRT-LLM over several nodes: use one node with enough GPUs")
	case service.ComponentType == v1alpha1.ComponentTypeEPP:
		return need("componentType epp needs the Gateway API inference extension, which this version of the operator does not support")
	case service.Checkpoint != nil && service.Checkpoint.Enabled:
		return need("checkpoint.enabled needs checkpoint support, which this version of the operator does not have")
	case service.Ingress != nil && service.Ingress.Enabled && service.Ingress.UseVirtualService && !cluster.VirtualServices:
		return need("ingress.useVirtualService needs Istio in the cluster and a gateway in the operator's configuration (dynamo.istio): use an Ingress")
	}
	return nil
}
