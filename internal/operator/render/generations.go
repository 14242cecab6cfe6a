package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// By these the runtime builds the logical namespace of a worker's generation,
// and lets a frontend look into those of all generations of its graph.
const (
	workerSuffixEnv    = "DYN_NAMESPACE_WORKER_SUFFIX"
	namespacePrefixEnv = "DYN_NAMESPACE_PREFIX"
	// strictPrefixEnv keeps a frontend of graph chat away from graph chat-b.
	strictPrefixEnv = "DYN_NAMESPACE_PREFIX_STRICT"
)

// IsWorker reports whether a service runs an inference engine.
func IsWorker(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
	return spec != nil && typeOf(spec.ComponentType).runsEngine
}

// WorkerHash is that of the specs of a graph's workers, 8 hexadecimal digits;
// workers of two hashes do not serve one request together. "" where workers have
// no generations: where one worker serves a request alone, where something
// besides frontends may call workers by name, and where the graph itself says
// in which logical namespace they are.
//
// Only what the author wrote is in the hash, but for what changes no pod. A
// field that is added to the API must therefore have no default.
func WorkerHash(dgd *v1alpha1.DynamoGraphDeployment, version Version) string {
	if version < Generations || !hasGenerations(dgd) {
		return ""
	}
	dgd = inOneWay(dgd, version)
	workers := map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{}
	for name, service := range dgd.Spec.Services {
		if !IsWorker(service) {
			continue
		}
		spec := service.DeepCopy()
		spec.Replicas, spec.ScalingAdapter, spec.Autoscaling, spec.Ingress = nil, nil, nil, nil
		spec.ServiceName, spec.DynamoNamespace = "", ""
		for _, pace := range paceAnnotations {
			delete(spec.Annotations, pace)
		}
		delete(spec.Annotations, v1alpha1.AnnotationMinAvailable)
		workers[name] = spec
	}
	return hashOf(map[string]any{
		"framework": dgd.Spec.BackendFramework, "discovery": dgd.Annotations[v1alpha1.AnnotationDiscoveryBackend],
		"envs": dgd.Spec.Envs, "workers": workers,
	})
}

var paceAnnotations = []string{
	v1alpha1.AnnotationDeploymentStrategy, v1alpha1.AnnotationRollingUpdateMaxSurge, v1alpha1.AnnotationRollingUpdateMaxUnavailable,
}

// hashOf does not depend on the order of the fields in our types.
func hashOf(value any) string {
	data, err := json.Marshal(value)
	var fields any
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err == nil {
		data, err = json.Marshal(fields)
	}
	if err != nil {
		return "" // it cannot be sent either
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

func hasGenerations(dgd *v1alpha1.DynamoGraphDeployment) bool {
	if steersDiscovery(dgd.Spec.Envs) {
		return false
	}
	workers := 0
	for name, service := range dgd.Spec.Services {
		switch {
		case service == nil || service.GlobalDynamoNamespace || steersDiscovery(variables(service)):
			return false
		case IsWorker(service):
			if !isolates(dgd, name, service) {
				return false
			}
			workers++
		case service.ComponentType != v1alpha1.ComponentTypeFrontend && service.ComponentType != v1alpha1.ComponentTypePlanner:
			return false
		}
	}
	return workers > 1
}

// isolates reports whether a worker goes where it is told, is reached through
// frontends alone, and has a name that can take the hash.
func isolates(dgd *v1alpha1.DynamoGraphDeployment, name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
	line := commandLine(service)
	engine, err := Engine(dgd.Spec.BackendFramework, service)
	longest := longestName
	if service.NodeCount() > 1 {
		longest = LongestGroupName
	}
	switch {
	case err != nil, engine == "" && !strings.Contains(line, "dynamo.mocker"):
		return false
	case strings.Contains(line, "dyn://"), strings.Contains(line, "--namespace"):
		return false
	case service.Ingress != nil && service.Ingress.Enabled:
		return false
	}
	return len(ComponentName(dgd.Name, name))+len("-12345678") <= longest
}

// longestName is that of a Service.
const longestName = 63

func steersDiscovery(envs []corev1.EnvVar) bool {
	return slices.ContainsFunc(envs, func(v corev1.EnvVar) bool {
		return strings.HasPrefix(v.Name, "DYN_NAMESPACE") || v.Name == "DYN_ENDPOINT"
	})
}

// generationEnv leads workers of a generation into a logical namespace of their
// own, and shows those of all generations to frontends.
func generationEnv(spec *v1alpha1.DynamoComponentDeploymentSharedSpec, hash string) []corev1.EnvVar {
	switch {
	case hash == "":
		return nil
	case IsWorker(spec):
		return []corev1.EnvVar{{Name: workerSuffixEnv, Value: hash}}
	case spec.ComponentType == v1alpha1.ComponentTypeFrontend:
		return []corev1.EnvVar{
			{Name: namespacePrefixEnv, Value: spec.DynamoNamespace},
			{Name: strictPrefixEnv, Value: "true"},
		}
	}
	return nil
}

// GenerationNamespace is the logical namespace of the workers of a generation.
func GenerationNamespace(logical, hash string) string {
	if hash == "" {
		return logical
	}
	return logical + "-" + hash
}

// Recreates reports whether the workers of a graph end before those of another
// spec begin: one of them says so, and they can only change together.
func Recreates(dgd *v1alpha1.DynamoGraphDeployment) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(dgd.Spec.Services)), func(service *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
		return IsWorker(service) && service.Annotations[v1alpha1.AnnotationDeploymentStrategy] == string(appsv1.RecreateDeploymentStrategyType)
	})
}

// Shares are how many replicas more, and how many available ones fewer, a
// service may have while it is replaced. One of them is above zero.
func Shares(service *v1alpha1.DynamoComponentDeploymentSharedSpec) (surge, unavailable int32) {
	most, least := "25%", "25%"
	if service.NodeCount() > 1 {
		rollout := groupRollout(service.Annotations).RollingUpdateConfiguration
		most, least = rollout.MaxSurge.String(), rollout.MaxUnavailable.String()
	}
	share := func(annotation, standard string, up bool) int32 {
		value := intstr.Parse(firstOf(service.Annotations[annotation], standard))
		n, err := intstr.GetScaledValueFromIntOrPercent(&value, int(service.DesiredReplicas()), up)
		if err != nil {
			return 0 // refused by validation
		}
		return int32(n)
	}
	surge = share(v1alpha1.AnnotationRollingUpdateMaxSurge, most, true)
	unavailable = share(v1alpha1.AnnotationRollingUpdateMaxUnavailable, least, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}
