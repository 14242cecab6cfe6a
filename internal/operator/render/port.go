package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ServerPort is where the main container of a service listens, 0 for a plain
// container. Whoever moves the server by its variable or flag moves the port,
// the probes and the Service with it. It fails where the container's ports say
// something else, or where the place cannot be known. envs are those that the
// service inherits.
func ServerPort(spec *v1alpha1.DynamoComponentDeploymentSharedSpec, envs []corev1.EnvVar) (int32, error) {
	kind := typeOf(spec.ComponentType)
	if kind.port == nil {
		return 0, nil
	}
	var main corev1.Container
	if spec.ExtraPodSpec != nil && spec.ExtraPodSpec.MainContainer != nil {
		main = *spec.ExtraPodSpec.MainContainer
	}
	moved, by, err := kind.movedTo(main, mergeEnv(envs, main.Env, spec.Envs))
	if err != nil {
		return 0, err
	}
	declared := slices.IndexFunc(main.Ports, func(p corev1.ContainerPort) bool { return p.Name == kind.port.Name })
	switch {
	case declared < 0 && moved == 0:
		return kind.port.ContainerPort, nil
	case declared < 0:
		return moved, nil
	case moved != 0 && moved != main.Ports[declared].ContainerPort:
		return 0, fmt.Errorf("port %s is %d, but %s makes the server listen on %d", kind.port.Name, main.Ports[declared].ContainerPort, by, moved)
	}
	return main.Ports[declared].ContainerPort, nil
}

// movedTo is where a flag or a variable puts the server, and which one: the
// flag wins, as in the programs. 0 where neither says anything.
func (t componentType) movedTo(main corev1.Container, envs []corev1.EnvVar) (port int32, by string, err error) {
	value, by := t.portFlagIn(main), t.portFlag
	for _, v := range envs {
		if value != "" || v.Name != t.portEnv {
			continue
		}
		by = v.Name
		if v.ValueFrom != nil || strings.Contains(v.Value, "$(") {
			return 0, "", fmt.Errorf("the value of %s is not known before the pod runs: give it as a number, or declare the port %s in ports", by, t.port.Name)
		}
		value = v.Value
	}
	if value == "" {
		return 0, "", nil
	}
	number, err := strconv.ParseUint(value, 10, 16)
	if err != nil || number == 0 {
		return 0, "", fmt.Errorf("%s is %q, which is no port from 1 to 65535", by, value)
	}
	return int32(number), by, nil
}

// portFlagIn finds the flag's value among a command's words, which may be a
// line for a shell. A reference to a variable is not looked into.
func (t componentType) portFlagIn(main corev1.Container) string {
	if t.portFlag == "" {
		return ""
	}
	words := strings.Fields(strings.Join(slices.Concat(main.Command, main.Args), " "))
	for i, word := range words {
		value, found := strings.CutPrefix(word, t.portFlag+"=")
		if word == t.portFlag && i+1 < len(words) {
			value, found = words[i+1], true
		}
		if found && !strings.Contains(value, "$") {
			return strings.Trim(value, `"';&|)`)
		}
	}
	return ""
}

// declares is the port that the main container has to declare, nil for a plain
// one.
func (t componentType) declares(number int32) *corev1.ContainerPort {
	if t.port == nil {
		return nil
	}
	port := *t.port
	port.ContainerPort = number
	return &port
}

// PortName is the name of the port of a component type, "" for a plain container.
func PortName(componentType string) string {
	if port := typeOf(componentType).port; port != nil {
		return port.Name
	}
	return ""
}
