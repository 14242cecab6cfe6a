// Package protocol is what the operator and the agents of nodes say to each other by
// way of pods. The operator marks a pod as one to take a checkpoint of (a source), or
// as one to start from a checkpoint (a target); the agent of its node does so, from
// outside of the pod, and answers by a condition in the pod's status, which nobody
// with the ClusterRole edit can write.
package protocol

import (
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A source carries LabelSource "true" and AnnotationArtifact. Its checkpoint is taken
// once, when the container is ready; it goes on running, and gets the file that
// EnvSignalFile names, with a Signal in JSON.
//
// A target carries AnnotationRestoreFrom. The command of the container is that of
// Placeholder, which starts the worker anew where the agent says so, or says nothing
// for Patience.
const (
	LabelSource           = "nvidia.com/checkpoint-source"
	AnnotationArtifact    = "nvidia.com/checkpoint-artifact"
	AnnotationRestoreFrom = "nvidia.com/restore-from"
	// AnnotationContainer names the container that is meant; without it, it is the
	// one called main, or else the first.
	AnnotationContainer = "nvidia.com/checkpoint-container"

	EnvSignalFile = "DYN_CHECKPOINT_SIGNAL_FILE"
)

// Conditions that the agent writes in a pod's status. False with a reason is the end
// too: what failed is not tried again in that container.
const (
	ConditionCheckpointed corev1.PodConditionType = "nvidia.com/Checkpointed"
	ConditionRestored     corev1.PodConditionType = "nvidia.com/Restored"
)

// Reasons of the conditions.
const (
	ReasonStored       = "Stored"       // Checkpointed is True
	ReasonRestored     = "Restored"     // Restored is True
	ReasonBlocked      = "Blocked"      // the process holds what no checkpoint can
	ReasonIncompatible = "Incompatible" // a fact of the artifact differs from the pod or its node
	ReasonMissing      = "Missing"      // there is no such artifact
	ReasonDamaged      = "Damaged"      // a file of the artifact is not what was stored
	ReasonFailed       = "Failed"       // CRIU failed, a deadline passed, storage was full
)

// Signal is the content of the file that tells a source's process the outcome.
type Signal struct {
	CheckpointID   string `json:"checkpoint_id"`
	CheckpointPath string `json:"checkpoint_path"`
	Timestamp      string `json:"timestamp"`
	Success        bool   `json:"success"`
	Error          string `json:"error,omitempty"`
}

// The volume that sources and targets have alike, since a stored process expects the
// mounts that it had: an init container of the agent's image fills it by Install.
const (
	Volume   = "chrek"
	Path     = "/chrek"
	initFile = Path + "/init"
	// MarkerFile is there in a process that was restored, before it goes on.
	MarkerFile = "/tmp/dynamo-restored"
)

// Patience is how long a placeholder waits for a word of an agent before it starts
// its worker anew.
const Patience = 2 * time.Minute

// Install is the command of the init container, by which the agent's image puts the
// placeholder's program into the volume.
func Install() []string { return []string{"/chrek-agent", "install", Path} }

// Placeholder is the command of a target that would else run command.
func Placeholder(command []string) []string {
	return append([]string{initFile, "--patience", Patience.String(), "--"}, command...)
}

// Worker is the command that Placeholder would else run; any other is its own.
func Worker(command []string) []string {
	waits := Placeholder(nil)
	if len(command) > len(waits) && slices.Equal(command[:len(waits)], waits) {
		return command[len(waits):]
	}
	return command
}

// Container is the container that is meant, nil if the pod has none of that name.
func Container(pod *corev1.Pod) *corev1.Container {
	name, named := pod.Annotations[AnnotationContainer]
	if !named {
		name = "main"
	}
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i]
		}
	}
	if named || len(pod.Spec.Containers) == 0 {
		return nil
	}
	return &pod.Spec.Containers[0]
}

// Condition is what a pod's status says of kind, nil if nothing.
func Condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

var artifactID = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidArtifact reports whether text can name an artifact: a DNS label, so that it is
// one folder wherever it is stored.
func ValidArtifact(text string) bool { return artifactID.MatchString(text) }
