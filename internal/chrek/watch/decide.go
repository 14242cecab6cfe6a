package watch

import (
	"path"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// action is what a pod asks for, as far as the API server knows.
type action int

const (
	nothing action = iota
	// take a checkpoint of it
	take
	// restore, if its container waits
	restore
	// startAnew, if its container waits: it is known already that nothing can be restored
	startAnew
	// crashed: what was restored has ended at once
	crashed
	// interrupted: an agent that was restoring into it is gone
	interrupted
)

// decide looks at a pod alone.
func decide(pod *corev1.Pod) (action, engine.Subject) {
	main := protocol.Container(pod)
	if main == nil || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return nothing, engine.Subject{}
	}
	status := statusOf(pod, main.Name)
	if status == nil || status.State.Running == nil {
		return nothing, engine.Subject{}
	}
	subject := subjectOf(pod, main, status)
	from, target := pod.Annotations[protocol.AnnotationRestoreFrom]
	if target && !status.Ready {
		subject.Artifact = from
		return restoring(pod, status), subject
	}
	if pod.Labels[protocol.LabelSource] == "true" && status.Ready && protocol.Condition(pod, protocol.ConditionCheckpointed) == nil {
		subject.Artifact = pod.Annotations[protocol.AnnotationArtifact]
		return take, subject
	}
	return nothing, subject
}

// tooSoon is how long what was restored must have lived to be restored again.
const tooSoon = time.Minute

// restoring is what to do for a target whose container may be waiting. One that was
// restored and whose container is another by now is restored again, unless that would
// only end again.
func restoring(pod *corev1.Pod, status *corev1.ContainerStatus) action {
	c := protocol.Condition(pod, protocol.ConditionRestored)
	switch {
	case c == nil:
		return restore
	case c.Status == corev1.ConditionTrue:
		if last := status.LastTerminationState.Terminated; last != nil && last.FinishedAt.Sub(last.StartedAt.Time) < tooSoon {
			return crashed
		}
		return restore
	case c.Status == corev1.ConditionUnknown:
		return interrupted
	}
	return startAnew
}

func statusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == name {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

func subjectOf(pod *corev1.Pod, main *corev1.Container, status *corev1.ContainerStatus) engine.Subject {
	s := engine.Subject{
		Namespace: pod.Namespace, Pod: pod.Name, Container: main.Name,
		ID: status.ContainerID, Image: status.ImageID, Memory: main.Resources.Limits.Memory().Value(),
	}
	if len(main.Command) > 0 {
		s.Command = slices.Concat(protocol.Worker(main.Command), main.Args)
	}
	others := beside(pod, main)
	for _, other := range others {
		s.Beside = append(s.Beside, other.Name)
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.EmptyDir == nil {
			continue
		}
		shared := slices.ContainsFunc(others, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume.Name })
		})
		for _, mount := range main.VolumeMounts {
			if mount.Name != volume.Name || mount.ReadOnly {
				continue
			}
			s.Volumes = append(s.Volumes, path.Clean(mount.MountPath))
			if shared {
				s.Shared = append(s.Shared, path.Clean(mount.MountPath))
			}
		}
	}
	return s
}

// beside are the other containers of a pod that run as long as it does.
func beside(pod *corev1.Pod, main *corev1.Container) []corev1.Container {
	var all []corev1.Container
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			all = append(all, c)
		}
	}
	for _, c := range pod.Spec.Containers {
		if c.Name != main.Name {
			all = append(all, c)
		}
	}
	return all
}

// signalFile is where a source wants to hear the outcome; "" if it does not.
func signalFile(pod *corev1.Pod) string {
	for _, variable := range protocol.Container(pod).Env {
		if variable.Name == protocol.EnvSignalFile {
			return variable.Value
		}
	}
	return ""
}
