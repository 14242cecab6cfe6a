package validate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// pod checks what the API server would refuse only later, and with the paths of
// an object that the author has not written.
func pod(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	liveness, readiness, startup := render.DefaultProbes(s.ComponentType)
	main := &corev1.Container{}
	extra := path.Child("extraPodSpec")
	if s.ExtraPodSpec != nil && s.ExtraPodSpec.MainContainer != nil {
		main = s.ExtraPodSpec.MainContainer
	}
	at, ports := extra.Child("mainContainer"), mainPorts(s, main)
	errs := portNames(at.Child("ports"), main.Ports)
	errs = append(errs, probe(path.Child("livenessProbe"), s.LivenessProbe, ports, liveness)...)
	errs = append(errs, probe(path.Child("readinessProbe"), s.ReadinessProbe, ports, readiness)...)
	errs = append(errs, probe(at.Child("livenessProbe"), main.LivenessProbe, ports, liveness)...)
	errs = append(errs, probe(at.Child("readinessProbe"), main.ReadinessProbe, ports, readiness)...)
	errs = append(errs, probe(at.Child("startupProbe"), main.StartupProbe, ports, startup)...)
	if s.ExtraPodSpec == nil || s.ExtraPodSpec.PodSpec == nil {
		return errs
	}
	if policy := s.ExtraPodSpec.RestartPolicy; policy != "" && policy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(extra.Child("restartPolicy"), policy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	errs = append(errs, sidecars(extra.Child("containers"), s.ExtraPodSpec.Containers)...)
	return append(errs, sidecars(extra.Child("initContainers"), s.ExtraPodSpec.InitContainers)...)
}

// mainPorts are the names of the ports that the main container will have.
func mainPorts(s *v1alpha1.DynamoComponentDeploymentSharedSpec, main *corev1.Container) []string {
	names := namesOf(main.Ports)
	if standard := render.PortName(s.ComponentType); standard != "" && !slices.Contains(names, standard) {
		names = append(names, standard)
	}
	return names
}

func namesOf(ports []corev1.ContainerPort) []string {
	var names []string
	for _, p := range ports {
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	return names
}

func sidecars(path *field.Path, containers []corev1.Container) field.ErrorList {
	var errs field.ErrorList
	for i, c := range containers {
		at, ports := path.Index(i), namesOf(c.Ports)
		if c.Name == v1alpha1.MainContainerName {
			errs = append(errs, field.Invalid(at.Child("name"), c.Name, "is the name of the main container: use mainContainer"))
		}
		errs = append(errs, portNames(at.Child("ports"), c.Ports)...)
		errs = append(errs, probe(at.Child("livenessProbe"), c.LivenessProbe, ports, false)...)
		errs = append(errs, probe(at.Child("readinessProbe"), c.ReadinessProbe, ports, false)...)
		errs = append(errs, probe(at.Child("startupProbe"), c.StartupProbe, ports, false)...)
	}
	return errs
}

func portNames(path *field.Path, ports []corev1.ContainerPort) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, p := range ports {
		if p.Name != "" && seen[p.Name] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("name"), p.Name))
		}
		seen[p.Name] = true
	}
	return errs
}

// probe must ask exactly one thing, unless the component type says what, and a
// port that is there.
func probe(path *field.Path, p *corev1.Probe, ports []string, hasDefault bool) field.ErrorList {
	if p == nil {
		return nil
	}
	var handlers []string
	var port *intstr.IntOrString
	if p.Exec != nil {
		handlers = append(handlers, "exec")
	}
	if p.HTTPGet != nil {
		handlers, port = append(handlers, "httpGet"), &p.HTTPGet.Port
	}
	if p.TCPSocket != nil {
		handlers, port = append(handlers, "tcpSocket"), &p.TCPSocket.Port
	}
	if p.GRPC != nil {
		handlers = append(handlers, "grpc")
	}
	switch {
	case len(handlers) == 0 && !hasDefault:
		return field.ErrorList{field.Required(path, "say what to ask: httpGet, tcpSocket, exec or grpc; this component has no default for it")}
	case len(handlers) > 1:
		return field.ErrorList{field.Forbidden(path, "a probe asks one thing, and this one has "+strings.Join(handlers, " and ")+": remove one")}
	case port == nil || port.Type == intstr.Int || slices.Contains(ports, port.StrVal):
		return nil
	}
	at := path.Child(handlers[0], "port")
	if len(ports) == 0 {
		return field.ErrorList{field.Invalid(at, port.StrVal, "the container declares no port with a name: declare it in ports, or give the number")}
	}
	return field.ErrorList{field.NotSupported(at, port.StrVal, ports)}
}

// repeatedVariables warns: the last value counts, and nobody sees the others.
func repeatedVariables(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) []string {
	var warnings []string
	check := func(path *field.Path, envs []corev1.EnvVar) {
		seen := map[string]bool{}
		for i, v := range envs {
			if seen[v.Name] {
				warnings = append(warnings, fmt.Sprintf("%s sets %s once more: only the last value counts", path.Index(i), v.Name))
			}
			seen[v.Name] = true
		}
	}
	check(path.Child("envs"), s.Envs)
	if s.ExtraPodSpec != nil && s.ExtraPodSpec.MainContainer != nil {
		check(path.Child("extraPodSpec", "mainContainer", "env"), s.ExtraPodSpec.MainContainer.Env)
	}
	return warnings
}
