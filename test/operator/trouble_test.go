package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

func TestTheStatusNamesWhatBlocks(t *testing.T) {
	ns := namespace(t)
	operator := start(t, within(ns))
	chatGraph(t, ns)
	waiting := func(reason, message string) corev1.PodStatus {
		return corev1.PodStatus{
			Phase:      corev1.PodPending,
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
			}},
		}
	}
	for _, tc := range []struct {
		name   string
		status corev1.PodStatus
		want   string
	}{
		{"no room", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
			Message: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
		}}}, "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."},
		{"no secret", waiting("CreateContainerConfigError", `secret "hf-token-secret" not found`),
			`CreateContainerConfigError: secret "hf-token-secret" not found`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			setStatus(t, ns, "chat-worker", tc.status)
			ready := condition(t, ns, "chat", says(tc.want))
			pod := pods(t, ns, "chat-worker")[0].Name
			// The frontend, which has no pod that runs either, comes after it.
			if want := "Worker: 0/1 ready: pod " + pod + ": " + tc.want; !strings.HasPrefix(ready.Message, want) {
				t.Errorf("message %q, want it to begin with %q", ready.Message, want)
			}
		})
	}
	t.Run("a missing ConfigMap, told by an event only", func(t *testing.T) {
		pod := pods(t, ns, "chat-worker")[0]
		setStatus(t, ns, "chat-worker", waiting("ContainerCreating", ""))
		condition(t, ns, "chat", func(c metav1.Condition) bool { return !strings.Contains(c.Message, "hf-token-secret") })
		create(t, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: ns, GenerateName: "mount-"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: ns, Name: pod.Name, UID: pod.UID},
			Type:           corev1.EventTypeWarning, Reason: "FailedMount", LastTimestamp: metav1.Now(),
			Message: `MountVolume.SetUp failed for volume "profile" : configmap "planner-profile" not found`,
		})
		condition(t, ns, "chat", says(`configmap "planner-profile" not found`))
	})
	t.Run("a quota", func(t *testing.T) {
		create(t, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "none"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
		})
		cluster.Eventually(t, "the quota is in force", func() error {
			quota := &corev1.ResourceQuota{}
			if get(t, ns, "none", quota); len(quota.Status.Hard) == 0 {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		for _, pod := range pods(t, ns, "chat-worker") {
			if err := adminClient(t).Delete(context.Background(), &pod); err != nil {
				t.Fatal(err)
			}
		}
		condition(t, ns, "chat", says("Worker: 0/1 ready: pods cannot be created: pods is forbidden: exceeded quota: none"))
	})
	if lists := operator.eventLists.Load(); lists > 1 {
		t.Errorf("the operator listed events %d times, and needs it once", lists)
	}
}

// setStatus gives the only pod of a component a status.
func setStatus(t *testing.T, namespace, component string, status corev1.PodStatus) {
	t.Helper()
	cluster.Eventually(t, "a pod of "+component, func() error {
		found := pods(t, namespace, component)
		if len(found) != 1 {
			return fmt.Errorf("%d pods", len(found))
		}
		found[0].Status = status
		return adminClient(t).Status().Update(context.Background(), &found[0])
	})
}

func TestAMissingClaimIsWaitedFor(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, `
metadata: {name: chat}
spec:
  pvcs:
    - {name: kernels, create: true, storageClass: any, size: 1Gi, volumeAccessMode: ReadWriteOnce}
    - {name: models}
  services: {Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}}
`))
	condition(t, ns, "chat", says("PersistentVolumeClaimNotFound: PersistentVolumeClaim models does not exist"))
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)
	absent(t, &corev1.PersistentVolumeClaimList{}, ns)

	createClaim(t, ns, "models")
	condition(t, ns, "chat", says("some_resources_are_not_ready"))
	get(t, ns, "kernels", &corev1.PersistentVolumeClaim{})
}

// TestAClaimThatDiffersIsToldAndKept, whoever made it.
func TestAClaimThatDiffersIsToldAndKept(t *testing.T) {
	ns := namespace(t)
	createClaim(t, ns, "models")
	theirs := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "models"}}
	before := content(t, theirs)
	start(t, within(ns))
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, `
metadata: {name: chat}
spec:
  pvcs: [{name: models, create: true, size: 500Gi, volumeAccessMode: ReadWriteMany}]
  services: {Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}}
`)
	create(t, dgd)
	told := func() string {
		get(t, ns, "chat", dgd)
		if c := meta.FindStatusCondition(dgd.Status.Conditions, "ClaimsAsSpecified"); c != nil {
			return c.Message
		}
		return ""
	}
	cluster.Eventually(t, "the difference is told", func() error {
		if got := told(); !strings.Contains(got, "spec.pvcs[0].size says 500Gi") {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	if diff := cmp.Diff(before, content(t, theirs)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	get(t, ns, "models", theirs)
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.PVCs[0].Size = theirs.Spec.Resources.Requests[corev1.ResourceStorage]
	})
	cluster.Eventually(t, "nothing is told any more", func() error {
		if got := told(); got != "" || dgd.Status.ObservedGeneration != dgd.Generation {
			return fmt.Errorf("%q of generation %d", got, dgd.Status.ObservedGeneration)
		}
		return nil
	})
}

func TestNothingIsCreatedForAGraphThatCannotRun(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	for name, tc := range map[string]struct{ services, want string }{
		"multinode": {"{A: {componentType: frontend, extraPodSpec: *x}, B: {componentType: worker, multinode: {nodeCount: 2}, extraPodSpec: *x}}",
			"MultinodeOrchestratorNotAvailable: service B: multinode.nodeCount is above 1, and the operator has no API that runs groups of pods: install LeaderWorkerSet"},
		"epp":     {"{E: {componentType: epp, eppConfig: {configMapRef: {name: a, key: b}}, extraPodSpec: *x}}", "InferencePoolNotAvailable: service E: componentType epp needs"},
		"invalid": {"{a: {extraPodSpec: *x}, A: {extraPodSpec: *x}}", "ValidationFailed: spec.services[a]"},
		"policy":  {`{S: {extraPodSpec: {restartPolicy: Never, mainContainer: {image: "registry.example.com/runtime:1"}}}}`, "ValidationFailed: spec.services[S].extraPodSpec.restartPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, "metadata: {name: "+name+"}\nspec: {services: "+strings.ReplaceAll(tc.services, "*x", `{mainContainer: {image: "registry.example.com/runtime:1"}}`)+"}"))
			condition(t, ns, name, says(tc.want))
			dgd := &v1alpha1.DynamoGraphDeployment{}
			if get(t, ns, name, dgd); dgd.Status.State != v1alpha1.GraphStateFailed {
				t.Errorf("state %q, want failed", dgd.Status.State)
			}
			reason, text, _ := strings.Cut(tc.want, ": ")
			warned(t, dgd, reason, text)
		})
	}
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)
	absent(t, &appsv1.DeploymentList{}, ns)
}

func TestWhatTheAPIServerRefusesIsReported(t *testing.T) {
	ns := namespace(t)
	operator := start(t, within(ns))
	dgd := chatGraph(t, ns)
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Worker"].ExtraPodSpec.MainContainer.SecurityContext = &corev1.SecurityContext{RunAsUser: ptr.To[int64](-5)}
	})
	condition(t, ns, "chat", says("securityContext.runAsUser: Invalid value: -5"))
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Worker"].ExtraPodSpec.MainContainer.SecurityContext = nil
	})
	condition(t, ns, "chat", says("Worker: 0/1 ready"))
	if operator.writes.Load() == 0 {
		t.Error("no write was counted, so the other tests' counts mean nothing")
	}
}

func TestObjectsOfOthersAreLeftAlone(t *testing.T) {
	ns := namespace(t)
	theirs := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-frontend"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	create(t, theirs)
	start(t, within(ns))
	dgd := chatGraph(t, ns)
	condition(t, ns, "chat", says("Frontend: apply Service "+ns+"/chat-frontend: Service "+ns+"/chat-frontend exists already and belongs to nobody: delete it or choose another name; looked for again every 10s"))
	now := &corev1.Service{}
	if get(t, ns, "chat-frontend", now); now.ResourceVersion != theirs.ResourceVersion {
		t.Error("the operator wrote to a Service that is not its own")
	}
	if err := adminClient(t).Delete(context.Background(), theirs); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "its own Service", func() error {
		if err := adminClient(t).Get(context.Background(), client.ObjectKeyFromObject(theirs), now); err != nil {
			return err
		}
		if now.Labels[render.ManagedByLabel] != render.Manager {
			return fmt.Errorf("it is not ours")
		}
		return nil
	})
	condition(t, ns, dgd.Name, func(c metav1.Condition) bool { return !strings.Contains(c.Message, "exists already") })
}

func TestAComponentWrittenByHandRuns(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dcd := parse[v1alpha1.DynamoComponentDeployment](t, ns, `
metadata: {name: solo}
spec: {componentType: worker, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
`)
	create(t, dcd)
	allRun(t, ns, "", "solo")
	get(t, ns, "solo", dcd)
	for _, kind := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionDynamoComponentReady, v1alpha1.ConditionValid} {
		if !meta.IsStatusConditionTrue(dcd.Status.Conditions, kind) {
			t.Errorf("condition %s is not True: %+v", kind, dcd.Status.Conditions)
		}
	}
}

func TestPodsPullWithTheNamespacesSecrets(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	chatGraph(t, ns)
	condition(t, ns, "chat", says("some_resources_are_not_ready"))
	change(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "default"}}, func(a *corev1.ServiceAccount) {
		a.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	})
	cluster.Eventually(t, "the graph's ServiceAccount has them too", func() error {
		account := &corev1.ServiceAccount{}
		get(t, ns, "chat-k8s-service-discovery", account)
		if len(account.ImagePullSecrets) != 1 || account.ImagePullSecrets[0].Name != "registry" {
			return fmt.Errorf("%v", account.ImagePullSecrets)
		}
		return nil
	})
}

// Whether a program of the user's own needs NATS is not known, so this is told
// beside the graph's readiness, and goes when it no longer holds.
func TestAGraphSaysThatItMissesNATS(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, `
metadata: {name: hello}
spec:
  services:
    W: {componentType: worker, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1", command: [python3, hello_world.py]}}}
`))
	told := func(want string) {
		t.Helper()
		cluster.Eventually(t, "the condition about NATS", func() error {
			dgd := &v1alpha1.DynamoGraphDeployment{}
			get(t, ns, "hello", dgd)
			if dgd.Status.ObservedGeneration != dgd.Generation {
				return fmt.Errorf("generation %d is not reported on", dgd.Generation)
			}
			got := ""
			if c := meta.FindStatusCondition(dgd.Status.Conditions, "NATSAvailable"); c != nil {
				got = string(c.Status) + ": " + c.Message
			}
			if got != want && (want == "" || !strings.HasPrefix(got, want)) {
				return fmt.Errorf("%q, want %q", got, want)
			}
			return nil
		})
	}
	told("False: service W runs hello_world.py, which connects to NATS at its start if it is a dynamo_worker. This platform has no NATS: set nats.enabled")
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, ns, "hello", dgd)
	change(t, dgd, func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Spec.Envs = []corev1.EnvVar{{Name: "NATS_SERVER", Value: "nats://bus.example.com:4222"}}
	})
	told("")
}
