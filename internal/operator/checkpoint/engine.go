package checkpoint

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// Engine is who takes checkpoints of running pods, and starts pods from them.
type Engine interface {
	// Source prepares a pod so that a checkpoint is taken of it. The pod ends with 0
	// when that is stored.
	Source(pod *corev1.PodTemplateSpec, hash string)
	// Target prepares a pod so that it starts from a checkpoint that is stored.
	Target(pod *corev1.PodTemplateSpec, hash string)
	// Location is where a checkpoint is stored.
	Location(hash string) string
}

// EngineOf is the engine of a configuration: the agent of the chart chrek.
func EngineOf(cfg config.Checkpoint) Engine { return agent{cfg} }

// agent is the contract of the agents on nodes: they find a source by its labels when
// it is ready, and store it on the claim that it mounts.
type agent struct{ config.Checkpoint }

const (
	signalVolume, signalPath   = "checkpoint-signal", "/checkpoint-signal"
	storageVolume              = "checkpoint-storage"
	podInfoVolume, podInfoPath = "podinfo", "/etc/podinfo"

	readyFile     = "/tmp/ready-for-checkpoint"
	restoreMarker = "/tmp/dynamo-restored"
	// seccompProfile keeps programs from io_uring, which cannot be stored.
	seccompProfile = "profiles/block-iouring.json"
)

// Location implements Engine.
func (a agent) Location(hash string) string { return path.Join(a.BasePath, hash) }

// Source implements Engine. The file of the agent's answer is in a volume of the
// pod, so no answer to an earlier pod is there.
func (a agent) Source(pod *corev1.PodTemplateSpec, hash string) {
	label(pod, v1alpha1.LabelCheckpointHash, hash)
	label(pod, v1alpha1.LabelCheckpointSource, "true")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	main := mainContainer(&pod.Spec)
	main.LivenessProbe, main.StartupProbe = nil, nil
	main.ReadinessProbe = &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", readyFile}}},
		InitialDelaySeconds: 15, PeriodSeconds: 2,
	}
	prepend(main,
		corev1.EnvVar{Name: "DYN_CHECKPOINT_SIGNAL_FILE", Value: path.Join(signalPath, hash)},
		corev1.EnvVar{Name: "DYN_READY_FOR_CHECKPOINT_FILE", Value: readyFile},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_HASH", Value: hash},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_LOCATION", Value: a.Location(hash)},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_STORAGE_TYPE", Value: string(v1alpha1.CheckpointStoragePVC)},
		corev1.EnvVar{Name: "DYN_RESTORE_MARKER_FILE", Value: restoreMarker},
	)
	a.mount(pod, main)
}

// Target implements Engine: the image's entry point restores, with the command to
// start anew as its arguments.
func (a agent) Target(pod *corev1.PodTemplateSpec, hash string) {
	label(pod, v1alpha1.LabelCheckpointHash, hash)
	pod.Spec.HostIPC = true
	main := mainContainer(&pod.Spec)
	main.Args = append(append([]string{}, main.Command...), main.Args...)
	main.Command = nil
	if main.SecurityContext == nil {
		main.SecurityContext = &corev1.SecurityContext{}
	}
	main.SecurityContext.Privileged = ptr.To(true)
	prepend(main,
		corev1.EnvVar{Name: "DYN_CHECKPOINT_PATH", Value: a.BasePath},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_HASH", Value: hash},
		corev1.EnvVar{Name: "DYN_RESTORE_MARKER_FILE", Value: restoreMarker},
		corev1.EnvVar{Name: "SKIP_WAIT_FOR_CHECKPOINT", Value: "1"},
	)
	a.mount(pod, main)
}

// mount gives sources and targets the same mounts: a stored process expects them.
func (a agent) mount(pod *corev1.PodTemplateSpec, main *corev1.Container) {
	if pod.Spec.SecurityContext == nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	pod.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{
		Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: ptr.To(seccompProfile),
	}
	add := func(name, at string, source corev1.VolumeSource) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		main.VolumeMounts = append(main.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: at})
	}
	add(signalVolume, signalPath, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	add(storageVolume, a.BasePath, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: a.PVCName}})
	add(podInfoVolume, podInfoPath, corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: podInfo(pod, main)}})
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
	for _, place := range places {
		for _, variable := range main.Env {
			if variable.Name == place.variable && variable.Value != "" {
				metav1.SetMetaDataAnnotation(&pod.ObjectMeta, place.annotation, variable.Value)
			}
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
