package checkpoint

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// Engine is who takes checkpoints of running pods, and starts pods from them.
type Engine interface {
	// Source prepares a pod so that a checkpoint is taken of it, and stored as
	// artifact.
	Source(pod *corev1.PodTemplateSpec, artifact string)
	// Target prepares a pod for which CannotRestore is "" so that it starts from an
	// artifact.
	Target(pod *corev1.PodTemplateSpec, artifact string)
	// Location is where an artifact is stored.
	Location(artifact string) string
}

// EngineOf is the engine of a configuration: the agent of the chart chrek.
func EngineOf(cfg config.Checkpoint) Engine { return agent{cfg} }

// agent is the engine behind the protocol: it acts on pods from outside, so they get
// no right, no storage and nothing of their node.
type agent struct{ config.Checkpoint }

const (
	readyFile                = "/tmp/ready-for-checkpoint"
	signalVolume, signalPath = "checkpoint-signal", "/checkpoint-signal"
)

// Location implements Engine.
func (a agent) Location(artifact string) string { return path.Join(a.BasePath, artifact) }

// Source implements Engine. The file of the agent's answer is in a volume of the
// pod, so no answer to an earlier pod is there.
func (a agent) Source(pod *corev1.PodTemplateSpec, artifact string) {
	label(pod, v1alpha1.LabelCheckpointHash, artifact)
	label(pod, protocol.LabelSource, "true")
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, protocol.AnnotationArtifact, artifact)
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	main := mainContainer(&pod.Spec)
	main.LivenessProbe, main.StartupProbe = nil, nil
	main.ReadinessProbe = &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", readyFile}}},
		InitialDelaySeconds: 15, PeriodSeconds: 2,
	}
	prepend(main,
		corev1.EnvVar{Name: protocol.EnvSignalFile, Value: path.Join(signalPath, artifact)},
		corev1.EnvVar{Name: "DYN_READY_FOR_CHECKPOINT_FILE", Value: readyFile},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_HASH", Value: artifact},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_LOCATION", Value: a.Location(artifact)},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_STORAGE_TYPE", Value: string(v1alpha1.CheckpointStoragePVC)},
		corev1.EnvVar{Name: "DYN_RESTORE_MARKER_FILE", Value: protocol.MarkerFile},
	)
	a.furnish(pod, main)
}

// Target implements Engine: a placeholder waits for what is restored, and runs the
// command itself where nothing is.
func (a agent) Target(pod *corev1.PodTemplateSpec, artifact string) {
	label(pod, v1alpha1.LabelCheckpointHash, artifact)
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, protocol.AnnotationRestoreFrom, artifact)
	main := mainContainer(&pod.Spec)
	main.Command = protocol.Placeholder(main.Command)
	patient(main)
	prepend(main,
		corev1.EnvVar{Name: "DYN_CHECKPOINT_PATH", Value: a.BasePath},
		corev1.EnvVar{Name: "DYN_CHECKPOINT_HASH", Value: artifact},
		corev1.EnvVar{Name: "DYN_RESTORE_MARKER_FILE", Value: protocol.MarkerFile},
		corev1.EnvVar{Name: "SKIP_WAIT_FOR_CHECKPOINT", Value: "1"},
	)
	a.furnish(pod, main)
}

// CannotRestore says why a pod cannot start from a checkpoint, and what to do about
// it; "" if it can.
func CannotRestore(pod *corev1.PodTemplateSpec) string {
	if len(mainContainer(&pod.Spec).Command) > 0 {
		return ""
	}
	return "the container has no command of its own, so nothing can wait in its place for the checkpoint: " +
		"write the entry point of its image as extraPodSpec.mainContainer.command"
}
