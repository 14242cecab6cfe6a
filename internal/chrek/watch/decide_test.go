package watch

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

func pod(ready bool, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "sidecar"}, {Name: "main"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "sidecar", ContainerID: "containerd://side"},
			{Name: "main", ContainerID: "containerd://main", ImageID: "image", Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	}
	if change != nil {
		change(p)
	}
	return p
}

func asSource(p *corev1.Pod) {
	p.Labels[protocol.LabelSource], p.Annotations[protocol.AnnotationArtifact] = "true", "one"
}

func asTarget(p *corev1.Pod) { p.Annotations[protocol.AnnotationRestoreFrom] = "zero" }

func with(kind corev1.PodConditionType, status corev1.ConditionStatus, changes ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, change := range changes {
			change(p)
		}
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: status})
	}
}

func TestWhatAPodAsksFor(t *testing.T) {
	leaving := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }
	for name, tc := range map[string]struct {
		pod      *corev1.Pod
		want     action
		artifact string
	}{
		"nothing":                                  {pod(true, nil), nothing, ""},
		"a source":                                 {pod(true, asSource), take, "one"},
		"a source that is not ready":               {pod(false, asSource), nothing, ""},
		"a source that was stored":                 {pod(true, with(protocol.ConditionCheckpointed, corev1.ConditionTrue, asSource)), nothing, ""},
		"a source that was refused":                {pod(true, with(protocol.ConditionCheckpointed, corev1.ConditionFalse, asSource)), nothing, ""},
		"a source that leaves":                     {pod(true, func(p *corev1.Pod) { asSource(p); leaving(p) }), nothing, ""},
		"another label":                            {pod(true, func(p *corev1.Pod) { p.Labels[protocol.LabelSource] = "false" }), nothing, ""},
		"a target":                                 {pod(false, asTarget), restore, "zero"},
		"a target that works":                      {pod(true, asTarget), nothing, ""},
		"a target, restored before":                {pod(false, with(protocol.ConditionRestored, corev1.ConditionTrue, asTarget)), restore, "zero"},
		"a target that ended at once":              {pod(false, with(protocol.ConditionRestored, corev1.ConditionTrue, asTarget, lived(3))), crashed, "zero"},
		"a target that lived":                      {pod(false, with(protocol.ConditionRestored, corev1.ConditionTrue, asTarget, lived(61))), restore, "zero"},
		"a target, refused before":                 {pod(false, with(protocol.ConditionRestored, corev1.ConditionFalse, asTarget)), startAnew, "zero"},
		"a target, interrupted":                    {pod(false, with(protocol.ConditionRestored, corev1.ConditionUnknown, asTarget)), interrupted, "zero"},
		"a target that was restored, to be stored": {pod(true, with(protocol.ConditionRestored, corev1.ConditionTrue, asTarget, asSource)), take, "one"},
		"a target that is to be stored later":      {pod(false, func(p *corev1.Pod) { asTarget(p); asSource(p) }), restore, "zero"},
		"a container of no such name":              {pod(true, func(p *corev1.Pod) { asSource(p); p.Annotations[protocol.AnnotationContainer] = "x" }), nothing, ""},
		"a container that waits":                   {pod(true, func(p *corev1.Pod) { asSource(p); p.Status.ContainerStatuses[1].State = corev1.ContainerState{} }), nothing, ""},
		"a pod that has ended":                     {pod(true, func(p *corev1.Pod) { asSource(p); p.Status.Phase = corev1.PodSucceeded }), nothing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, subject := decide(tc.pod)
			if got != tc.want || subject.Artifact != tc.artifact {
				t.Errorf("got %d of %q, want %d of %q", got, subject.Artifact, tc.want, tc.artifact)
			}
		})
	}
}

func TestTheSubjectIsTheContainerThatIsMeant(t *testing.T) {
	p := pod(true, func(p *corev1.Pod) {
		asSource(p)
		p.Spec.Containers[1].Command = protocol.Placeholder([]string{"worker", "-a"})
		p.Spec.Containers[1].Args = []string{"-b"}
		p.Spec.Containers[1].Env = []corev1.EnvVar{{Name: protocol.EnvSignalFile, Value: "/signal/x"}}
		p.Spec.Containers[1].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		p.Spec.Containers[1].VolumeMounts = []corev1.VolumeMount{
			{Name: "own", MountPath: "/own/"}, {Name: "own", MountPath: "/read", ReadOnly: true}, {Name: "node", MountPath: "/node"},
		}
		p.Spec.Volumes = []corev1.Volume{
			{Name: "own", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}},
		}
	})
	_, s := decide(p)
	if s.Container != "main" || s.ID != "containerd://main" || s.Image != "image" || s.Memory != 1<<30 || signalFile(p) != "/signal/x" {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(s.Command, []string{"worker", "-a", "-b"}) || !slices.Equal(s.Volumes, []string{"/own"}) || s.Shared != nil {
		t.Errorf("command %q, volumes %q, shared %q", s.Command, s.Volumes, s.Shared)
	}
	if !slices.Equal(s.Beside, []string{"sidecar"}) {
		t.Errorf("beside it: %q", s.Beside)
	}
	p.Spec.InitContainers = []corev1.Container{
		{Name: "first", VolumeMounts: []corev1.VolumeMount{{Name: "own"}}},
		{Name: "native", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
	}
	if _, s := decide(p); s.Shared != nil || !slices.Equal(s.Beside, []string{"native", "sidecar"}) {
		t.Errorf("shared %q, beside it %q", s.Shared, s.Beside)
	}
	p.Spec.InitContainers[1].VolumeMounts = []corev1.VolumeMount{{Name: "own", MountPath: "/theirs"}}
	if _, s := decide(p); !slices.Equal(s.Shared, []string{"/own"}) {
		t.Errorf("shared %q", s.Shared)
	}
	p.Annotations[protocol.AnnotationContainer] = "sidecar"
	p.Status.ContainerStatuses[0].Ready, p.Status.ContainerStatuses[0].State.Running = true, &corev1.ContainerStateRunning{}
	if _, s := decide(p); s.ID != "containerd://side" || s.Command != nil || signalFile(p) != "" {
		t.Errorf("%+v", s)
	}
}
