package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	natsServer = "NATS_SERVER"
	// eventPlane carries KV events: over NATS unless it says zmq.
	eventPlane = "DYN_EVENT_PLANE"
	// requestPlane carries requests: over TCP unless it says nats.
	requestPlane = "DYN_REQUEST_PLANE"
)

var (
	// Programs that publish or follow KV events and use NATS for nothing else.
	eventPrograms = regexp.MustCompile(`\bdynamo\.(frontend|vllm|sglang|trtllm|mocker)\b`)
	// Any other module or script of Python, which is declared with dynamo_worker.
	pythonProgram = regexp.MustCompile(`python\S*(?:\s+-[^m\s]\S*)*\s+(?:-m\s+(\S+)|(\S+\.py))`)
	natsRequests  = regexp.MustCompile(`--request-plane[\s=]+nats\b`)
)

// messaging tells a component where NATS is. Without one it is told to keep KV
// events off it: publishers and KV routers would end at their start otherwise.
func (c *component) messaging() []corev1.EnvVar {
	switch {
	case c.config.Infrastructure.NATSAddress != "":
		return []corev1.EnvVar{{Name: natsServer, Value: c.config.Infrastructure.NATSAddress}}
	case names(c.spec, natsServer):
		return nil
	default:
		return []corev1.EnvVar{{Name: eventPlane, Value: "zmq"}}
	}
}

// MissingNATS tells, a sentence per service, which programs of a graph connect
// to NATS when they start, where the platform has none and the graph names
// none. What a shell script or an image's own entry point runs is not known.
func MissingNATS(dgd *v1alpha1.DynamoGraphDeployment, address string) (missing []string) {
	if address != "" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		if service == nil {
			continue
		}
		spec := service.DeepCopy()
		inheritEnvs(spec, dgd.Spec.Envs)
		if why := natsUse(spec); why != "" && !names(spec, natsServer) {
			missing = append(missing, fmt.Sprintf("service %s %s", name, why))
		}
	}
	return missing
}

// NoNATS is the sentence about services that miss it.
func NoNATS(missing []string) string {
	return strings.Join(missing, "; ") + ". This platform has no NATS: set nats.enabled or dynamo-operator.natsAddr in its values, or NATS_SERVER in the graph's envs"
}

// natsUse is what a service needs NATS for, beside KV events; "" for nothing.
func natsUse(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) string {
	line := commandLine(spec)
	switch {
	case valueOf(spec, requestPlane) == "nats" || natsRequests.MatchString(line):
		return "sends requests through NATS"
	case spec.ComponentType == v1alpha1.ComponentTypePlanner:
		return "is a planner, which connects to NATS at its start"
	}
	if program := pythonProgram.FindStringSubmatch(line); program != nil && !eventPrograms.MatchString(line) {
		return fmt.Sprintf("runs %s, which connects to NATS at its start if it is a dynamo_worker", firstOf(program[1], program[2]))
	}
	return ""
}

// commandLine is what the main container runs, as far as the graph says.
func commandLine(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) string {
	if spec.ExtraPodSpec == nil || spec.ExtraPodSpec.MainContainer == nil {
		return ""
	}
	main := spec.ExtraPodSpec.MainContainer
	// A continued line is one command.
	return strings.ReplaceAll(strings.Join(slices.Concat(main.Command, main.Args), " "), "\\\n", " ")
}

func names(spec *v1alpha1.DynamoComponentDeploymentSharedSpec, variable string) bool {
	return slices.ContainsFunc(variables(spec), func(v corev1.EnvVar) bool { return v.Name == variable })
}

func valueOf(spec *v1alpha1.DynamoComponentDeploymentSharedSpec, variable string) (value string) {
	for _, v := range variables(spec) {
		if v.Name == variable {
			value = v.Value
		}
	}
	return value
}

// variables are the user's, weakest first.
func variables(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) []corev1.EnvVar {
	if spec.ExtraPodSpec == nil || spec.ExtraPodSpec.MainContainer == nil {
		return spec.Envs
	}
	return slices.Concat(spec.ExtraPodSpec.MainContainer.Env, spec.Envs)
}
