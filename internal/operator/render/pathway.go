package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Capabilities are what the operator can use of the cluster, besides Kubernetes.
type Capabilities struct {
	// VirtualServices: the cluster has Istio and the configuration a gateway.
	VirtualServices bool
	// HTTPRoutes: the cluster has the Gateway API and the configuration a Gateway.
	HTTPRoutes bool
	// LeaderWorkerSets: the cluster has the API of LeaderWorkerSet.
	LeaderWorkerSets bool
	// Volcano: beside LeaderWorkerSets it has the API of PodGroups.
	Volcano bool
	// Grove: the cluster has its API, and the configuration lets graphs use it.
	Grove bool
	// KAI: the same for the KAI scheduler.
	KAI bool
	// InferencePools: the cluster has the API of endpoint pickers, and the
	// configuration lets graphs use it.
	InferencePools bool
	// Checkpoints: the configuration says that there are agents that take them.
	Checkpoints bool
}

// PodGroups is the API by which Volcano is told which pods to schedule as one.
var PodGroups = schema.GroupVersion{Group: "scheduling.volcano.sh", Version: "v1beta1"}

// UnsupportedError says what a graph needs that this operator, or the cluster,
// has not got. Nothing of such a graph is created.
type UnsupportedError struct {
	// Service is "" where it is the whole graph.
	Service string
	// Need is the rest of the sentence that begins with the service.
	Need string
	// MissingAPI is a reason for the graph's condition where an API is missing in
	// the cluster: the graph goes on by itself when it is there. "" for none.
	MissingAPI string
}

func (e *UnsupportedError) Error() string {
	if e.Service == "" {
		return e.Need
	}
	return fmt.Sprintf("service %s: %s", e.Service, e.Need)
}

const missingLeaderWorkerSets = "multinode.nodeCount is above 1, and the operator has no API that runs groups of pods: " +
	"install LeaderWorkerSet (leaderworkerset.x-k8s.io/v1), and the graph goes on by itself; " +
	"an operator of one namespace needs leaderWorkerSet.enabled in its values, too"

const missingInferencePools = "componentType epp needs InferencePools, whose API (inference.networking.k8s.io/v1) the operator has not got: " +
	"install the Gateway API inference extension, and the graph goes on by itself; " +
	"an operator of one namespace needs inferencePool.enabled in its values, too"

const missingGrove = "the graph is to run through Grove, whose API (grove.io/v1alpha1) the operator has not got: " +
	"install Grove, and the graph goes on by itself; the operator needs global.grove.enabled in its values, too. " +
	"Or set the annotation " + v1alpha1.AnnotationEnableGrove + `: "false"; where Grove still runs the graph, delete its PodCliqueSet too, for which this operator has no right`

// Names of paths, as reasons of the condition PathwayChosen.
const (
	PathDeployment      = string(v1alpha1.ComponentKindDeployment)
	PathLeaderWorkerSet = string(v1alpha1.ComponentKindLeaderWorkerSet)
	PathGrove           = "Grove"
)

// Path is how a graph is run.
type Path struct {
	// Name is Grove, or the workload of the services that decide it.
	Name string
	// Why is a sentence for the graph's author.
	Why string
	// Loose names the services whose groups of pods are not scheduled as one, unless
	// PodGroups of Volcano are made for them.
	Loose []string
}

// PathwayOf is the one place that decides how a graph is run. running is the name
// of the path on which it runs already, "" for none: nothing that comes to the
// cluster moves it, only its own annotation does. The error names the first
// service that cannot be run.
func PathwayOf(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities, running string) (Path, error) {
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if err := checkFeatures(name, dgd.Spec.Services[name], cluster); err != nil {
			return Path{}, err
		}
	}
	wish := dgd.Annotations[v1alpha1.AnnotationEnableGrove]
	switch {
	case strings.EqualFold(wish, "false"):
		return byComponents(dgd, cluster, "")
	case running == PathGrove, strings.EqualFold(wish, "true") && cluster.Grove:
		return byGrove(dgd, cluster)
	case running != "" && cluster.Grove:
		return byComponents(dgd, cluster, fmt.Sprintf(`; it has begun so, and the annotation %s: "true" moves it to Grove`, v1alpha1.AnnotationEnableGrove))
	case !cluster.Grove:
		return byComponents(dgd, cluster, "")
	}
	path, unfit := byGrove(dgd, cluster)
	if unfit == nil {
		return path, nil
	}
	if path, err := byComponents(dgd, cluster, "; Grove cannot run it: "+unfit.Error()); err == nil {
		return path, nil
	}
	return Path{}, unfit
}

func byGrove(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities) (Path, error) {
	if !cluster.Grove {
		return Path{}, &UnsupportedError{Need: missingGrove, MissingAPI: v1alpha1.ReasonMultinodeNotAvailable}
	}
	if err := fitsGrove(dgd); err != nil {
		return Path{}, err
	}
	path := Path{Name: PathGrove, Why: "the graph is one PodCliqueSet of Grove"}
	for _, name := range groupsOf(dgd) {
		if !cluster.KAI || schedulerOf(dgd.Spec.Services[name]) != "" {
			path.Loose = append(path.Loose, name)
		}
	}
	return path, nil
}

// byComponents runs each service for itself. more goes on with the sentence why.
func byComponents(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities, more string) (Path, error) {
	groups := groupsOf(dgd)
	if len(groups) == 0 {
		return Path{Name: PathDeployment, Why: "each service is a Deployment: none needs several nodes" + more}, nil
	}
	if !cluster.LeaderWorkerSets {
		return Path{}, &UnsupportedError{Service: groups[0], Need: missingLeaderWorkerSets, MissingAPI: v1alpha1.ReasonMultinodeNotAvailable}
	}
	return Path{
		Name: PathLeaderWorkerSet, Loose: groups,
		Why: fmt.Sprintf("several nodes are needed by %s, each a LeaderWorkerSet; every other service is a Deployment", strings.Join(groups, ", ")) + more,
	}, nil
}

// groupsOf are the services over several nodes.
func groupsOf(dgd *v1alpha1.DynamoGraphDeployment) (groups []string) {
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if dgd.Spec.Services[name].NodeCount() > 1 {
			groups = append(groups, name)
		}
	}
	return groups
}

// ChosenPath is the name of the path that the status of a graph records, "" where
// none was chosen.
func ChosenPath(dgd *v1alpha1.DynamoGraphDeployment) string {
	if chosen := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionPathwayChosen); chosen != nil && chosen.Status == metav1.ConditionTrue {
		return chosen.Reason
	}
	return ""
}

// CheckService returns why a component cannot be run for itself, nil if it can.
func CheckService(name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec, cluster Capabilities) error {
	if service.NodeCount() > 1 && !cluster.LeaderWorkerSets {
		return &UnsupportedError{Service: name, Need: missingLeaderWorkerSets, MissingAPI: v1alpha1.ReasonMultinodeNotAvailable}
	}
	return checkFeatures(name, service, cluster)
}

// checkFeatures returns what a service needs that the operator has not got,
// whatever way it is run.
func checkFeatures(name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec, cluster Capabilities) error {
	need := func(sentence string) error { return &UnsupportedError{Service: name, Need: sentence} }
	switch {
	case service.ComponentType == v1alpha1.ComponentTypeEPP && !cluster.InferencePools:
		return &UnsupportedError{Service: name, Need: missingInferencePools, MissingAPI: v1alpha1.ReasonInferencePoolNotAvailable}
	case service.Checkpoint != nil && service.Checkpoint.Enabled && !cluster.Checkpoints:
		return need("checkpoint.enabled needs agents that take checkpoints, which the operator's configuration does not turn on")
	case service.Ingress != nil && service.Ingress.Enabled && service.Ingress.UseVirtualService && !cluster.VirtualServices:
		return need("ingress.useVirtualService needs Istio in the cluster and a gateway in the operator's configuration (dynamo.istio): use an Ingress")
	}
	return nil
}
