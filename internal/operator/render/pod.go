package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	terminationGraceSeconds = 60
	filesystemGroup         = 1000
	// farewellSeconds is how long a frontend that is to end still takes requests:
	// until nobody sends it any.
	farewellSeconds = 5
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
	if err := c.addFrontend(&pod); err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	c.addDebugger(&pod)
	sidecars := len(pod.Containers) > 1
	pod.Volumes = mergeByKey(pod.Volumes, c.volumes(), volumeName)
	pod.ImagePullSecrets = mergeByKey(pod.ImagePullSecrets, c.ownAccountsPullSecrets(pod), pullSecret)
	pod.ServiceAccountName = c.serviceAccount(pod)
	pod.DeprecatedServiceAccount = ""
	if pod.TerminationGracePeriodSeconds == nil {
		pod.TerminationGracePeriodSeconds = ptr.To(cmp.Or(c.kind.graceSeconds, terminationGraceSeconds))
	}
	if pod.RestartPolicy == "" {
		pod.RestartPolicy = corev1.RestartPolicyAlways
	}
	if pod.SecurityContext == nil {
		// OnRootMismatch: or else the kubelet changes the group of every file of
		// a model's volume at each start.
		pod.SecurityContext = &corev1.PodSecurityContext{
			FSGroup: ptr.To[int64](filesystemGroup), FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
		}
	}
	c.addFarewell(&pod)
	return corev1.PodTemplateSpec{ObjectMeta: c.podMeta(sidecars), Spec: pod}, nil
}

// addFarewell has a frontend serve on for a moment after it is told to end, since
// whoever sends requests learns of it later. A preStop hook of the user's stays,
// and where the pod has no time for ours there is none.
func (c *component) addFarewell(pod *corev1.PodSpec) {
	main := mainContainer(*pod)
	if c.spec.ComponentType != v1alpha1.ComponentTypeFrontend || VersionOf(c.object) < Generations ||
		*pod.TerminationGracePeriodSeconds <= farewellSeconds || main.Lifecycle != nil && main.Lifecycle.PreStop != nil {
		return
	}
	if main.Lifecycle == nil {
		main.Lifecycle = &corev1.Lifecycle{}
	}
	main.Lifecycle.PreStop = farewell(VersionOf(c.object))
}

func farewell(version Version) *corev1.LifecycleHandler {
	if version < Commands {
		return &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: farewellSeconds}}
	}
	return &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sleep", strconv.Itoa(farewellSeconds)}}}
}

func (c *component) userPodSpec() corev1.PodSpec {
	if c.spec.ExtraPodSpec == nil || c.spec.ExtraPodSpec.PodSpec == nil {
		return corev1.PodSpec{}
	}
	pod := *c.spec.ExtraPodSpec.PodSpec.DeepCopy()
	freeClaims(pod.Volumes)
	return pod
}

func (c *component) userMainContainer() corev1.Container {
	if c.spec.ExtraPodSpec == nil || c.spec.ExtraPodSpec.MainContainer == nil {
		return corev1.Container{}
	}
	return *c.spec.ExtraPodSpec.MainContainer.DeepCopy()
}

// ownAccountsPullSecrets are those of the configuration where the pod runs as an
// account of the user's, which does not bring them along as ours do.
func (c *component) ownAccountsPullSecrets(pod corev1.PodSpec) []corev1.LocalObjectReference {
	if firstOf(pod.ServiceAccountName, pod.DeprecatedServiceAccount) == "" {
		return nil
	}
	return pullSecretsOf(c.config)
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
	port, err := ServerPort(c.spec, nil)
	if err != nil {
		return main, fmt.Errorf("service %s: %w", c.service, err)
	}
	c.fillCommand(&main, port)
	main.Ports = mergePorts(main.Ports, c.kind.declares(port))
	main.Ports = mergeByKey(main.Ports, c.kind.morePorts, portNumber)
	main.Env = mergeEnv(c.environment(port), main.Env, c.spec.Envs)
	if c.spec.EnvFromSecret != "" {
		main.EnvFrom = append(main.EnvFrom, corev1.EnvFromSource{
			SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: c.spec.EnvFromSecret}},
		})
	}
	// What a program says last is then in the pod's status, and in the graph's.
	if main.TerminationMessagePolicy == "" {
		main.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}
	main.VolumeMounts = mergeByKey(main.VolumeMounts, c.volumeMounts(), mountPath)
	c.fillProbes(&main, intstr.FromInt32(port))
	service, err := ResourceRequirements(c.spec.Resources)
	if err != nil {
		return main, fmt.Errorf("service %s: %w", c.service, err)
	}
	main.Resources = mergeResources(main.Resources, service)
	return main, nil
}

// fillCommand: a user's command stands alone. Several words without one are
// for the image's entry point, as everywhere in Kubernetes; one alone is a line
// for the type's command. What begins like a flag goes behind the type's whole
// command. Without either the type's default runs, if it has a whole one.
func (c *component) fillCommand(main *corev1.Container, port int32) {
	whole := len(c.kind.args) > 0
	switch {
	case len(main.Command) > 0:
	case c.kind.argsOf != nil:
		if len(main.Args) == 0 || isFlag(main.Args[0]) {
			main.Args = slices.Concat(c.kind.argsOf(c, port), main.Args)
		}
	case len(main.Args) == 0 && whole:
		main.Command, main.Args = c.kind.command, c.kind.args
	case len(main.Args) == 0:
	case isFlag(main.Args[0]):
		if whole {
			main.Command = slices.Concat(c.kind.command, c.kind.args)
		}
	case whole && len(main.Args) == 1 && strings.ContainsAny(main.Args[0], " \n"):
		main.Command = shell
	case whole && main.Args[0] == c.kind.args[0], len(main.Args) == 1:
		main.Command = c.kind.command
	}
}

// isFlag is false for -m, with which Python begins a command of its own.
func isFlag(word string) bool { return strings.HasPrefix(word, "-") && word != "-m" }

// fillProbes takes each probe whole: from the service, else from the main
// container, else from the component type. One that does not say what to ask,
// only when, asks what the type's does.
func (c *component) fillProbes(main *corev1.Container, port intstr.IntOrString) {
	choose := func(current **corev1.Probe, override *corev1.Probe, standard probe) {
		if override != nil {
			*current = override.DeepCopy()
		}
		switch {
		case standard == nil:
		case *current == nil:
			*current = standard(port)
		case (*current).ProbeHandler == corev1.ProbeHandler{}:
			(*current).ProbeHandler = standard(port).ProbeHandler
		}
	}
	choose(&main.LivenessProbe, c.spec.LivenessProbe, c.kind.liveness)
	choose(&main.ReadinessProbe, c.spec.ReadinessProbe, c.kind.readiness)
	choose(&main.StartupProbe, nil, c.kind.startup)
}
