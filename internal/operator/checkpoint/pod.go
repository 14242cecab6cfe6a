package checkpoint

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

const (
	podInfoVolume, podInfoPath = "podinfo", "/etc/podinfo"
	installContainer           = "chrek-install"
	// installUser is nobody's: a file for all is written to a folder for all.
	installUser = 65532
)

// furnish gives sources and targets the same mounts, since a stored process expects
// those that it had, and keeps them from what cannot be stored.
func (a agent) furnish(pod *corev1.PodTemplateSpec, main *corev1.Container) {
	withoutMPTCP(main)
	a.withoutIOURing(&pod.Spec)
	add := func(name, at string, readOnly bool, source corev1.VolumeSource) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		main.VolumeMounts = append(main.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: at, ReadOnly: readOnly})
	}
	add(signalVolume, signalPath, false, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	add(protocol.Volume, protocol.Path, true, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	add(podInfoVolume, podInfoPath, true, corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: podInfo(pod, main)}})
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, a.install())
}

// install puts the placeholder's program into the volume. It may do nothing that the
// profile restricted of PodSecurity does not allow.
func (a agent) install() corev1.Container {
	return corev1.Container{
		Name:    installContainer,
		Image:   a.AgentImage,
		Command: protocol.Install(),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
		},
		VolumeMounts:             []corev1.VolumeMount{{Name: protocol.Volume, MountPath: protocol.Path}},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			RunAsNonRoot:             ptr.To(true),
			RunAsUser:                ptr.To[int64](installUser),
			RunAsGroup:               ptr.To[int64](installUser),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// withoutIOURing puts the pod under the profile that the configuration says is on
// the nodes, unless its author has chosen one.
func (a agent) withoutIOURing(pod *corev1.PodSpec) {
	if a.SeccompProfile == "" || pod.SecurityContext != nil && pod.SecurityContext.SeccompProfile != nil {
		return
	}
	if pod.SecurityContext == nil {
		pod.SecurityContext = &corev1.PodSecurityContext{}
	}
	pod.SecurityContext.SeccompProfile = &corev1.SeccompProfile{
		Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: ptr.To(a.SeccompProfile),
	}
}

const (
	goDebug  = "GODEBUG"
	mptcp    = "multipathtcp="
	mptcpOff = mptcp + "0"
)

// withoutMPTCP: programs in Go listen by MPTCP by default, which cannot be stored.
func withoutMPTCP(main *corev1.Container) {
	for i := range main.Env {
		variable := &main.Env[i]
		switch {
		case variable.Name != goDebug:
		case variable.ValueFrom != nil, strings.Contains(variable.Value, mptcp):
			return
		default:
			variable.Value = strings.TrimPrefix(variable.Value+","+mptcpOff, ",")
			return
		}
	}
	main.Env = append(main.Env, corev1.EnvVar{Name: goDebug, Value: mptcpOff})
}

// startHours is how long a container may take to start whose author has not said.
const startHours = 2

// patient has a container asked each second whether it has started: a placeholder
// answers nothing until the process is there, and that is soon. It has the time that it
// would have otherwise, after that for which the placeholder waits: where no agent
// answers, it would else be killed before it starts anew, again and again.
func patient(main *corev1.Container) {
	startup := main.StartupProbe
	switch {
	case startup != nil:
		total := startup.InitialDelaySeconds + cmp.Or(startup.PeriodSeconds, 10)*cmp.Or(startup.FailureThreshold, 3)
		startup.FailureThreshold = total + int32(protocol.Patience.Seconds())
	case main.LivenessProbe != nil:
		startup = main.LivenessProbe.DeepCopy()
		startup.FailureThreshold = startHours * 60 * 60
	default:
		return
	}
	startup.InitialDelaySeconds, startup.PeriodSeconds = 0, 1
	main.StartupProbe = startup
}

// places are what a process that was restored reads anew, since its environment is
// that of the pod that it was stored in.
var places = []struct{ variable, annotation, file string }{
	{"DYN_NAMESPACE", "nvidia.com/dyn-namespace", "dyn_namespace"},
	{"DYN_COMPONENT", "nvidia.com/dyn-component", "dyn_component"},
	{"DYN_PARENT_DGD_K8S_NAME", "nvidia.com/dyn-parent-dgd-name", "dyn_parent_dgd_name"},
	{"DYN_PARENT_DGD_K8S_NAMESPACE", "nvidia.com/dyn-parent-dgd-namespace", "dyn_parent_dgd_namespace"},
	{"DYN_DISCOVERY_BACKEND", "nvidia.com/dyn-discovery-backend", "dyn_discovery_backend"},
}

// podInfo are the files that say who the pod is, by way of annotations where the
// API knows it from nowhere else.
func podInfo(pod *corev1.PodTemplateSpec, main *corev1.Container) []corev1.DownwardAPIVolumeFile {
	files := []corev1.DownwardAPIVolumeFile{
		field("pod_name", "metadata.name"), field("pod_uid", "metadata.uid"), field("pod_namespace", "metadata.namespace"),
	}
	said := map[string]string{}
	for _, variable := range main.Env {
		said[variable.Name] = variable.Value
	}
	// What is restored has not got the suffix in its environment.
	if suffix := said["DYN_NAMESPACE_WORKER_SUFFIX"]; suffix != "" {
		said["DYN_NAMESPACE"] += "-" + suffix
	}
	for _, place := range places {
		if value := said[place.variable]; value != "" {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, place.annotation, value)
		}
		files = append(files, field(place.file, "metadata.annotations['"+place.annotation+"']"))
	}
	return files
}

func field(file, from string) corev1.DownwardAPIVolumeFile {
	return corev1.DownwardAPIVolumeFile{Path: file, FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: from}}
}

func label(pod *corev1.PodTemplateSpec, key, value string) {
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[key] = value
}

func prepend(main *corev1.Container, env ...corev1.EnvVar) {
	main.Env = append(env, main.Env...)
}

// mainContainer is the one called main, or else the first; agents choose the same.
func mainContainer(pod *corev1.PodSpec) *corev1.Container {
	for i := range pod.Containers {
		if pod.Containers[i].Name == v1alpha1.MainContainerName {
			return &pod.Containers[i]
		}
	}
	return &pod.Containers[0]
}
