package render

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	terminationGraceSeconds = 60
	filesystemGroup         = 1000
)

// podTemplate starts from the user's pod spec and fills in what it leaves open.
func (c *component) podTemplate() (corev1.PodTemplateSpec, error) {
	pod := c.userPodSpec()
	main, err := c.mainContainer()
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	// The user's containers come first: one may have to start before ours.
	pod.Containers = append(pod.Containers, main)
	c.addDebugger(&pod)
	sidecars := len(pod.Containers) > 1
	pod.Volumes = mergeByKey(pod.Volumes, c.volumes(), volumeName)
	pod.ImagePullSecrets = mergeByKey(pod.ImagePullSecrets, nil, pullSecret)
	pod.ServiceAccountName = c.serviceAccount(pod)
	pod.DeprecatedServiceAccount = ""
	if pod.TerminationGracePeriodSeconds == nil {
		pod.TerminationGracePeriodSeconds = ptr.To[int64](terminationGraceSeconds)
	}
	if pod.RestartPolicy == "" {
		pod.RestartPolicy = corev1.RestartPolicyAlways
	}
	if pod.SecurityContext == nil {
		pod.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](filesystemGroup)}
	}
	return corev1.PodTemplateSpec{ObjectMeta: c.podMeta(sidecars), Spec: pod}, nil
}

func (c *component) userPodSpec() corev1.PodSpec {
	if c.spec.ExtraPodSpec == nil || c.spec.ExtraPodSpec.PodSpec == nil {
		return corev1.PodSpec{}
	}
	return *c.spec.ExtraPodSpec.PodSpec.DeepCopy()
}

func (c *component) userMainContainer() corev1.Container {
	if c.spec.ExtraPodSpec == nil || c.spec.ExtraPodSpec.MainContainer == nil {
		return corev1.Container{}
	}
	return *c.spec.ExtraPodSpec.MainContainer.DeepCopy()
}

// serviceAccount is the user's, or that of the component type, or the graph's,
// or the namespace's default.
func (c *component) serviceAccount(pod corev1.PodSpec) string {
	own := firstOf(pod.ServiceAccountName, pod.DeprecatedServiceAccount, c.kind.serviceAccount)
	if own == "" && c.graph != "" {
		return graphServiceAccount(c.graph, c.discovery, c.config)
	}
	return own
}

// mainContainer starts from the user's main container. Its name is fixed:
// checkpoints and multinode launchers look the container up by it.
func (c *component) mainContainer() (corev1.Container, error) {
	main := c.userMainContainer()
	main.Name = v1alpha1.MainContainerName
	c.fillCommand(&main)
	main.Ports = mergePorts(main.Ports, c.kind.port)
	main.Env = mergeEnv(c.environment(c.portNumber(main.Ports)), main.Env, c.spec.Envs)
	if c.spec.EnvFromSecret != "" {
		main.EnvFrom = append(main.EnvFrom, corev1.EnvFromSource{
			SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: c.spec.EnvFromSecret}},
		})
	}
	main.VolumeMounts = mergeByKey(main.VolumeMounts, c.volumeMounts(), mountPath)
	c.fillProbes(&main)
	service, err := ResourceRequirements(c.spec.Resources)
	if err != nil {
		return main, fmt.Errorf("service %s: %w", c.service, err)
	}
	main.Resources = mergeResources(main.Resources, service)
	return main, nil
}

// fillCommand: a user's command stands alone. His args alone go to the type's
// command. Without either the type's default runs, if it has a whole one.
func (c *component) fillCommand(main *corev1.Container) {
	switch {
	case len(main.Command) > 0:
	case len(main.Args) > 0:
		main.Command = c.kind.command
	case len(c.kind.args) > 0:
		main.Command, main.Args = c.kind.command, c.kind.args
	}
}

// fillProbes takes each probe whole: from the service, else from the main
// container, else from the component type.
func (c *component) fillProbes(main *corev1.Container) {
	choose := func(current **corev1.Probe, override *corev1.Probe, standard func(intstr.IntOrString) *corev1.Probe) {
		switch {
		case override != nil:
			*current = override.DeepCopy()
		case *current == nil && standard != nil:
			*current = standard(portReference(main.Ports, c.kind.port))
		}
	}
	choose(&main.LivenessProbe, c.spec.LivenessProbe, c.kind.liveness)
	choose(&main.ReadinessProbe, c.spec.ReadinessProbe, c.kind.readiness)
	choose(&main.StartupProbe, nil, c.kind.startup)
}

// portNumber is where the well-known port of the type ended up.
func (c *component) portNumber(ports []corev1.ContainerPort) int32 {
	if c.kind.port == nil {
		return 0
	}
	for _, p := range ports {
		if p.Name == c.kind.port.Name {
			return p.ContainerPort
		}
	}
	return c.kind.port.ContainerPort
}
