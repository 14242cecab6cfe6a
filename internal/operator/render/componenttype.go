package render

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// componentType is what the operator knows about one value of componentType.
// A new type is a new entry in componentTypes.
type componentType struct {
	// command is used when the user gives no command, args when there are none
	// either. A shell without args is left out: the image then decides.
	command, args []string
	// argsOf are the args that depend on the component, in place of args. They go
	// to the image's entry point.
	argsOf func(c *component, port int32) []string
	// port is declared, probed and exposed; nil for a plain container. The
	// program reads it from the variable portEnv, or from the flag portFlag.
	port              *corev1.ContainerPort
	portEnv, portFlag string
	// appProtocol is that of the port, where a gateway has to know it.
	appProtocol *string
	// morePorts are declared as well.
	morePorts []corev1.ContainerPort
	env       func(port int32) []corev1.EnvVar

	liveness, readiness, startup probe

	// serviceAccount of pods for which the user names none.
	serviceAccount string
	// graceSeconds is the time that pods have to end; 0 for that of most types.
	graceSeconds int64
	// runsEngine: the command is searched for an inference engine.
	runsEngine bool
}

// probe is a default; nil where the type has none.
type probe func(port intstr.IntOrString) *corev1.Probe

var shell = []string{"/bin/sh", "-c"}

var componentTypes = map[string]componentType{
	v1alpha1.ComponentTypeFrontend: frontend,
	v1alpha1.ComponentTypeWorker:   worker,
	v1alpha1.ComponentTypePrefill:  worker,
	v1alpha1.ComponentTypeDecode:   worker,
	v1alpha1.ComponentTypePlanner:  planner,
	v1alpha1.ComponentTypeEPP:      picker,
}

var frontend = componentType{
	command: []string{"python3"},
	args:    []string{"-m", "dynamo.frontend"},
	port:    &corev1.ContainerPort{Name: "http", ContainerPort: 8000, Protocol: corev1.ProtocolTCP},
	portEnv: "DYN_HTTP_PORT", portFlag: "--http-port",
	env: func(port int32) []corev1.EnvVar {
		return []corev1.EnvVar{
			{Name: "DYNAMO_PORT", Value: itoa(port)},
			{Name: "DYN_HTTP_PORT", Value: itoa(port)},
		}
	},
	liveness: func(port intstr.IntOrString) *corev1.Probe {
		return httpProbe("/live", port, corev1.Probe{InitialDelaySeconds: 15, PeriodSeconds: 10, TimeoutSeconds: 1, FailureThreshold: 3})
	},
	readiness: func(port intstr.IntOrString) *corev1.Probe {
		return httpProbe("/health", port, corev1.Probe{InitialDelaySeconds: 10, PeriodSeconds: 10, TimeoutSeconds: 3, FailureThreshold: 3})
	},
}

var worker = componentType{
	command: shell,
	port:    &corev1.ContainerPort{Name: "system", ContainerPort: 9090, Protocol: corev1.ProtocolTCP},
	portEnv: "DYN_SYSTEM_PORT",
	env: func(port int32) []corev1.EnvVar {
		return []corev1.EnvVar{
			{Name: "DYN_SYSTEM_ENABLED", Value: "true"},
			{Name: "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", Value: `["generate"]`},
			{Name: "DYN_SYSTEM_PORT", Value: itoa(port)},
			{Name: "DYN_HEALTH_CHECK_ENABLED", Value: "false"},
		}
	},
	// Three misses, where published operators allow one: a loaded worker that
	// answers late once must not lose its requests and load its model anew.
	liveness: func(port intstr.IntOrString) *corev1.Probe {
		return httpProbe("/live", port, corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 4, FailureThreshold: 3})
	},
	readiness: func(port intstr.IntOrString) *corev1.Probe {
		return httpProbe("/health", port, corev1.Probe{PeriodSeconds: 10, TimeoutSeconds: 4, FailureThreshold: 3})
	},
	// 720 periods are the two hours that loading a large model may take.
	startup: func(port intstr.IntOrString) *corev1.Probe {
		return httpProbe("/live", port, corev1.Probe{PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 720})
	},
	runsEngine: true,
}

var planner = componentType{
	command: shell,
	port:    &corev1.ContainerPort{Name: "metrics", ContainerPort: 9085, Protocol: corev1.ProtocolTCP},
	portEnv: "PLANNER_PROMETHEUS_PORT",
	env: func(port int32) []corev1.EnvVar {
		return []corev1.EnvVar{{Name: "PLANNER_PROMETHEUS_PORT", Value: itoa(port)}}
	},
	serviceAccount: PlannerServiceAccount,
}

// plain is every type that is not in componentTypes, "main" and "" included.
var plain = componentType{command: shell}

// ComponentTypes are the words that the platform gives a meaning, and those by
// which published graphs call plain containers, sorted.
func ComponentTypes() []string {
	known := []string{"default", "main", "encode", "encoder", "processor", "router"}
	return slices.Sorted(slices.Values(slices.AppendSeq(known, maps.Keys(componentTypes))))
}

func typeOf(name string) componentType {
	if known, ok := componentTypes[name]; ok {
		return known
	}
	return plain
}

func httpProbe(path string, port intstr.IntOrString, timing corev1.Probe) *corev1.Probe {
	timing.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: port}
	return &timing
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// DefaultProbes tells which probes a component type has: of these a service may
// give the timing alone.
func DefaultProbes(componentType string) (liveness, readiness, startup bool) {
	kind := typeOf(componentType)
	return kind.liveness != nil, kind.readiness != nil, kind.startup != nil
}
