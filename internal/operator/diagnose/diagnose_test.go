package diagnose

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestDeployment(t *testing.T) {
	for name, tc := range map[string]struct {
		desired int32
		status  appsv1.DeploymentStatus
		ready   bool
		message string
	}{
		"ready":           {2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, true, "2/2 ready"},
		"scaled to zero":  {0, appsv1.DeploymentStatus{ObservedGeneration: 3}, true, "0/0 ready"},
		"not seen yet":    {1, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}, false, "the Deployment's latest change has not been acted upon yet"},
		"starting":        {2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 1, AvailableReplicas: 1}, false, "1/2 ready"},
		"old ones serve":  {2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 1, ReadyReplicas: 3, AvailableReplicas: 3}, false, "updating, 2/2 ready, 2 of the previous revision"},
		"old ones linger": {2, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 3, AvailableReplicas: 3}, false, "updating, 2/2 ready, 1 of the previous revision"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 3}, Status: tc.status}
			d.Spec.Replicas = ptr.To(tc.desired)
			ready, message := Deployment(d)
			if ready != tc.ready || message != tc.message {
				t.Errorf("got %v, %q, want %v, %q", ready, message, tc.ready, tc.message)
			}
		})
	}
}

func TestBlocking(t *testing.T) {
	for name, tc := range map[string]struct{ status, want string }{
		"no room": {`
conditions:
- {type: PodScheduled, status: "False", reason: Unschedulable, message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found."}`,
			"pod p: Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.; lower the service's resources, or add nodes that have them"},
		"no image, failing": {`
containerStatuses:
- {name: main, image: "r/x:1", imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ErrImagePull, message: "failed to resolve r/x:1: not found"}}}`,
			`pod p: ImagePullBackOff: image "r/x:1" cannot be pulled: failed to resolve r/x:1: not found; correct the service's image, or name a pull secret in imagePullSecrets`},
		"no image, waiting": {`
containerStatuses:
- {name: main, image: "r/x:1", imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image "r/x:1": ErrImagePull: failed to resolve r/x:1: not found'}}}`,
			`pod p: ImagePullBackOff: image "r/x:1" cannot be pulled: failed to resolve r/x:1: not found; correct the service's image, or name a pull secret in imagePullSecrets`},
		"no secret": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: CreateContainerConfigError, message: 'secret "hf-token-secret" not found'}}}`,
			`pod p: CreateContainerConfigError: secret "hf-token-secret" not found; create it, or correct the name in the service`},
		"crashed, backing off": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 7, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m0s restarting failed container}}, lastState: {terminated: {exitCode: 1, reason: Error}}}`,
			"pod p: CrashLoopBackOff: container main ended with exit code 1"},
		"crashed, running again": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 8, state: {running: {}}, lastState: {terminated: {exitCode: 1, reason: Error}}}`,
			"pod p: CrashLoopBackOff: container main ended with exit code 1"},
		"crashed, just now": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 8, state: {terminated: {exitCode: 1, reason: Error}}, lastState: {terminated: {exitCode: 1, reason: Error}}}`,
			"pod p: CrashLoopBackOff: container main ended with exit code 1"},
		"crashed with a word": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 2, state: {terminated: {exitCode: 1, reason: Error, message: "Traceback:\n  File x\nValueError: model not found\n"}}}`,
			"pod p: CrashLoopBackOff: container main ended with exit code 1: ValueError: model not found"},
		"no claim": {`
conditions:
- {type: PodScheduled, status: "False", reason: Unschedulable, message: '0/1 nodes are available: persistentvolumeclaim "models" not found. not found'}`,
			`pod p: Unschedulable: 0/1 nodes are available: persistentvolumeclaim "models" not found; create the claim, or list it in spec.pvcs with create: true`},
		"out of memory": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 1, state: {running: {}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}`,
			"pod p: CrashLoopBackOff: container main ended with exit code 137 (OOMKilled); raise resources.limits.memory"},
		"no such program": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 1, state: {terminated: {exitCode: 128, reason: StartError, message: 'task 0123456789abcdef0123: exec: "python3": executable file not found'}}}`,
			`pod p: CrashLoopBackOff: container main ended with exit code 128 (StartError): task …: exec: "python3": executable file not found; correct command in extraPodSpec.mainContainer`},
		"no such program, next attempt": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 2, state: {waiting: {reason: RunContainerError, message: 'exec: "python3": executable file not found'}}, lastState: {terminated: {exitCode: 128, reason: StartError, message: 'task 0123456789abcdef0123: exec: "python3": executable file not found'}}}`,
			`pod p: CrashLoopBackOff: container main ended with exit code 128 (StartError): task …: exec: "python3": executable file not found; correct command in extraPodSpec.mainContainer`},
		"init container fails": {`
initContainerStatuses:
- {name: fetch, image: x, imageID: "", ready: false, restartCount: 2, state: {terminated: {exitCode: 3, reason: Error}}}
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: PodInitializing}}}`,
			"pod p: CrashLoopBackOff: container fetch ended with exit code 3"},
		"loading a model": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 0, state: {running: {}}}`,
			"pod p: container main runs but is not ready yet"},
		"sidecar fails while main loads": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 0, state: {running: {}}}
- {name: proxy, image: x, imageID: "", ready: false, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 2}}}`,
			"pod p: CrashLoopBackOff: container proxy ended with exit code 2"},
		"evicted": {`{phase: Failed, reason: Evicted, message: "The node was low on resource: memory."}`,
			"pod p: Evicted: The node was low on resource: memory."},
		"silent": {`
containerStatuses:
- {name: main, image: x, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}`,
			""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: parse[corev1.PodStatus](t, tc.status)}
			finding := Blocking([]corev1.Pod{pod})
			if finding == nil || finding.String() != tc.want {
				t.Errorf("got %v, want %s", finding, tc.want)
			}
		})
	}
}

func TestEventsTellWhatAProbeIsAnswered(t *testing.T) {
	pod := parse[corev1.Pod](t, `
metadata: {name: p}
spec: {containers: [{name: main, startupProbe: {periodSeconds: 10, failureThreshold: 720}}]}
status: {containerStatuses: [{name: main, image: x, imageID: "", ready: false, restartCount: 0, started: false, state: {running: {}}}]}`)
	events := []corev1.Event{
		{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Type: "Warning", Reason: "Unhealthy", Message: "Startup probe failed: connection refused"},
		{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Type: "Warning", Reason: "Unhealthy", Message: "Readiness probe failed: HTTP probe failed with statuscode: 404"},
	}
	for started, want := range map[bool]string{
		false: "pod p: container main is starting, for which its startupProbe gives it 120m; startup probe failed: connection refused",
		true:  "pod p: container main runs but is not ready yet; readiness probe failed: HTTP probe failed with statuscode: 404",
	} {
		pod.Status.ContainerStatuses[0].Started = &started
		finding := Blocking([]corev1.Pod{pod})
		if finding == nil || !finding.AsksEvents() {
			t.Fatalf("got %v, want a finding that asks the events", finding)
		}
		if got := finding.Told(events).String(); got != want {
			t.Errorf("started %v: got %q, want %q", started, got, want)
		}
	}
}

func TestNoRoomForOldAndNewAtOnce(t *testing.T) {
	pod := parse[corev1.Pod](t, `
metadata: {name: p}
status: {conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}]}`)
	d := &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 1}}
	d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	if got := Blocking([]corev1.Pod{pod}).In(d); !strings.Contains(got, "nvidia.com/deployment-strategy: Recreate") {
		t.Errorf("got %q, want the annotation that ends the deadlock", got)
	}
	d.Status.Replicas = 1
	if got := Blocking([]corev1.Pod{pod}).In(d); strings.Contains(got, "Recreate") {
		t.Errorf("got %q for a first pod, want nothing about old ones", got)
	}
}

func TestBlockingChoosesTheNewestRevisionAndTheWorstPod(t *testing.T) {
	pod := func(name, revision string, age time.Duration, reason string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: revision},
			CreationTimestamp: metav1.NewTime(time.Unix(1000000, 0).Add(-age)),
		}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason},
		}}}
		return p
	}
	finding := Blocking([]corev1.Pod{
		pod("a-old", "1", time.Hour, "CreateContainerConfigError"),
		pod("b-new", "2", time.Minute, "ContainerCreating"),
		pod("c-new", "2", time.Minute, "InvalidImageName"),
		pod("d-new", "2", time.Minute, "InvalidImageName"),
	})
	if finding == nil || finding.Pod.Name != "c-new" {
		t.Errorf("got %v, want c-new: of the newest revision, in the worst state, first by name", finding)
	}
	if got := Blocking(nil); got != nil {
		t.Errorf("got %v for no pods, want none", got)
	}
}

func TestWarning(t *testing.T) {
	event := func(minute int, kind, reason, message string) corev1.Event {
		return corev1.Event{Type: kind, Reason: reason, Message: message, LastTimestamp: metav1.NewTime(time.Unix(int64(minute)*60, 0))}
	}
	got := Warning([]corev1.Event{
		event(1, "Warning", "FailedMount", `MountVolume.SetUp failed for volume "profile" : configmap "planner-profile" not found`),
		event(3, "Warning", "FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition"),
		event(4, "Normal", "Scheduled", "assigned"),
	})
	want := `FailedMount: MountVolume.SetUp failed for volume "profile" : configmap "planner-profile" not found`
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Warning(nil); got != "" {
		t.Errorf("got %q for no events", got)
	}
}

func TestMessagesDoNotChangeWithTheAttempt(t *testing.T) {
	first := steady(`failed for sandbox "4f9c21d08a7be3554f9c21d0": pods "w-7d9f-abcde" is forbidden; back-off 10s restarting; volume 0f3a1b2c-1111-2222-3333-0123456789ab`)
	second := steady(`failed for sandbox "aa00bb11cc22dd33aa00bb11": pods "w-7d9f-fghij" is forbidden; back-off 20s restarting; volume 1f3a1b2c-1111-2222-3333-0123456789ab`)
	if first != second {
		t.Errorf("the same failure is told in two ways:\n%s\n%s", first, second)
	}
	if long := steady(strings.Repeat("word ", 200)); len([]rune(long)) != longest {
		t.Errorf("a message of %d characters was not cut to %d", len([]rune(long)), longest)
	}
}

func TestCannotCreatePods(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue,
		Message: `pods "w-7d9f-abcde" is forbidden: exceeded quota: gpus`,
	}}
	want := "pods cannot be created: pods is forbidden: exceeded quota: gpus; lower the replicas or the resources, or have the quota raised"
	if got := CannotCreatePods(d); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
