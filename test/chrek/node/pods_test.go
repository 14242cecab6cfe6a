//go:build e2e

package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/images"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// state is what the worker tells of itself.
type state struct {
	Boot, Heap, Changed, Volume, Deleted, Shared, Child, Signal, Host string

	Count          int64
	Gone, Restored bool
	PID            int
	Found          []string
}

// pod is a worker without any privilege, with the mounts that sources and targets share.
func pod(name, image string, command []string) *corev1.Pod {
	agent, err := images.ByName([]string{"chrek-agent"})
	if err != nil {
		panic(err)
	}
	least := &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		RunAsUser: ptr.To(int64(0)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	own := corev1.VolumeMount{Name: protocol.Volume, MountPath: protocol.Path}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: team, Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false),
			InitContainers: []corev1.Container{{
				Name: "chrek", Image: agent[0].Reference(), ImagePullPolicy: corev1.PullNever, Command: protocol.Install(),
				SecurityContext: least, VolumeMounts: []corev1.VolumeMount{own},
			}},
			Containers: []corev1.Container{{
				Name: "main", Image: image, ImagePullPolicy: corev1.PullNever, Command: command, SecurityContext: least,
				Env: []corev1.EnvVar{{Name: "HEAP_MB", Value: "128"}, {Name: protocol.EnvSignalFile, Value: "/signal/answer"}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/state", Port: intstr.FromInt32(8080)}},
					PeriodSeconds: 1, TimeoutSeconds: 5,
				},
				VolumeMounts: []corev1.VolumeMount{own, {Name: "data", MountPath: "/data"}, {Name: "signal", MountPath: "/signal"}},
			}},
			Volumes: []corev1.Volume{{Name: protocol.Volume, VolumeSource: empty}, {Name: "data", VolumeSource: empty}, {Name: "signal", VolumeSource: empty}},
		},
	}
}

func source(name, artifact string) *corev1.Pod {
	p := pod(name, worker, []string{"/worker"})
	p.Labels[protocol.LabelSource], p.Annotations[protocol.AnnotationArtifact] = "true", artifact
	return p
}

func target(name, image, artifact string) *corev1.Pod {
	p := pod(name, image, protocol.Placeholder([]string{"/worker"}))
	p.Annotations[protocol.AnnotationRestoreFrom] = artifact
	return p
}

// taken has a checkpoint taken of a worker that has told what it holds before.
func taken(t *testing.T, source *corev1.Pod) state {
	t.Helper()
	delete(source.Labels, protocol.LabelSource)
	apply(t, source)
	stored := ready(t, source.Name)
	run(t, "label", "pod", source.Name, protocol.LabelSource+"=true")
	c := condition(t, source.Name, protocol.ConditionCheckpointed)
	if c.Status != corev1.ConditionTrue || c.Reason != protocol.ReasonStored {
		t.Fatalf("Checkpointed: %+v", c)
	}
	t.Log(c.Message)
	return stored
}

// ready waits until a pod's worker answers, and returns what it says.
func ready(t *testing.T, name string) state {
	t.Helper()
	var p *corev1.Pod
	await(t, name+" is ready", func() bool {
		p = get(t, name)
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
	})
	return ask(t, p)
}

// Where a worker answers, and one that is started as a sidecar.
const workerPort, sidecarPort = 8080, 9090

// call asks a worker, which has five seconds.
func call(t *testing.T, ip string, port int, path string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+net.JoinHostPort(ip, strconv.Itoa(port))+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	return client.Do(request)
}

func ask(t *testing.T, p *corev1.Pod) state {
	t.Helper()
	return askAt(t, p, workerPort)
}

func askAt(t *testing.T, p *corev1.Pod, port int) state {
	t.Helper()
	answer, err := call(t, p.Status.PodIP, port, "/state")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var s state
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// condition waits until the agent has said what came of it.
func condition(t *testing.T, name string, kind corev1.PodConditionType) corev1.PodCondition {
	t.Helper()
	var found corev1.PodCondition
	await(t, fmt.Sprintf("%s has condition %s", name, kind), func() bool {
		for _, c := range get(t, name).Status.Conditions {
			if c.Type == kind && c.Status != corev1.ConditionUnknown {
				found = c
				return true
			}
		}
		return false
	})
	return found
}
