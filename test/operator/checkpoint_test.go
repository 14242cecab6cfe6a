package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const llamaHash = "5941a4cb3c363457"

const restored = `
metadata: {name: chat}
spec:
  services:
    Worker:
      componentType: worker
      checkpoint: {enabled: true, identity: {model: meta-llama/Llama-3-8B, backendFramework: vllm, dtype: bfloat16}}
      extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.vllm], args: [--model, m]}}
`

// checkpoints is an operator of one namespace whose agents take checkpoints.
func checkpoints(t *testing.T, namespace string) {
	t.Helper()
	start(t, func(cfg *config.OperatorConfiguration) {
		within(namespace)(cfg)
		cfg.Checkpoint.Enabled, cfg.Checkpoint.AgentImage = true, "registry.example.com/chrek-agent:1"
	})
}

func checkpointIs(t *testing.T, namespace, name string, phase v1alpha1.CheckpointPhase, text string) *v1alpha1.DynamoCheckpoint {
	t.Helper()
	c := &v1alpha1.DynamoCheckpoint{}
	cluster.Eventually(t, fmt.Sprintf("checkpoint %s is %s", name, phase), func() error {
		get(t, namespace, name, c)
		ready := meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady)
		if c.Status.Phase != phase || !strings.Contains(c.Status.Message, text) || ready != (phase == v1alpha1.CheckpointPhaseReady) {
			return fmt.Errorf("%+v", c.Status)
		}
		return nil
	})
	return c
}

// startsFrom waits until the worker's pods start from a checkpoint, or from none.
func startsFrom(t *testing.T, namespace, hash string) *corev1.PodTemplateSpec {
	t.Helper()
	deployment := &appsv1.Deployment{}
	cluster.Eventually(t, "the worker starts from "+hash, func() error {
		get(t, namespace, "chat-worker", deployment)
		if got := deployment.Spec.Template.Labels[v1alpha1.LabelCheckpointHash]; got != hash {
			return fmt.Errorf("from %q", got)
		}
		return nil
	})
	return &deployment.Spec.Template
}

func TestAGraphStartsFromItsCheckpointWhenThatIsReady(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, restored)
	create(t, dgd)
	cold := startsFrom(t, ns, "")
	if len(cold.Spec.InitContainers) > 0 || cold.Spec.Containers[0].Command[0] != "python3" {
		t.Errorf("without a checkpoint the pod has what only a restore needs: %+v", cold.Spec)
	}
	c := checkpointIs(t, ns, llamaHash, v1alpha1.CheckpointPhaseCreating, "runs")
	job := takes(t, ns, c)
	graphHas := func(ready bool) {
		t.Helper()
		cluster.Eventually(t, "the graph's status", func() error {
			get(t, ns, "chat", dgd)
			got := dgd.Status.Checkpoints["Worker"]
			without := meta.IsStatusConditionFalse(dgd.Status.Conditions, "CheckpointsReady")
			if got.CheckpointName != llamaHash || got.IdentityHash != llamaHash || got.Ready != ready || without == ready {
				return fmt.Errorf("%+v %+v", got, dgd.Status.Conditions)
			}
			return nil
		})
	}
	graphHas(false)

	agentStores(t, ns, job.Name)
	c = checkpointIs(t, ns, llamaHash, v1alpha1.CheckpointPhaseReady, "1.2 GiB")
	if c.Status.Location != "/checkpoints/"+llamaHash || c.Status.StorageType != "pvc" || c.Status.CreatedAt == nil || !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionTarAvailable) {
		t.Errorf("%+v", c.Status)
	}
	warm := startsFrom(t, ns, llamaHash)
	main := warm.Spec.Containers[0]
	if strings.Join(main.Command, " ") != "/chrek/init --patience 2m0s -- python3 -m dynamo.vllm" || strings.Join(main.Args, " ") != "--model m" || main.Env[0].Name != "DYN_CHECKPOINT_PATH" {
		t.Errorf("%+v", main)
	}
	if warm.Annotations["nvidia.com/restore-from"] != llamaHash || warm.Spec.HostIPC || main.SecurityContext != nil {
		t.Errorf("%+v", warm)
	}
	graphHas(true)

	// It vanishes: pods start as they did before, and another one is taken.
	if err := adminClient(t).Delete(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	startsFrom(t, ns, "")
	cluster.Eventually(t, "another checkpoint", func() error {
		again := &v1alpha1.DynamoCheckpoint{}
		if get(t, ns, llamaHash, again); again.UID == c.UID {
			return fmt.Errorf("the same one")
		}
		return nil
	})
}

func said(condition corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: condition, Status: status, Reason: reason, Message: message}}}
}

// stored is what the agent writes of a source.
var stored = said(protocol.ConditionCheckpointed, corev1.ConditionTrue, protocol.ReasonStored, "1.2 GiB in 900ms")

func agentStores(t *testing.T, namespace, job string) {
	t.Helper()
	jobPods(t, namespace, job, stored, func() error { return nil })
}

// takes is the Job that takes a checkpoint of the hash, after a look at both.
func takes(t *testing.T, ns string, c *v1alpha1.DynamoCheckpoint) *batchv1.Job {
	t.Helper()
	job := &batchv1.Job{}
	get(t, ns, "checkpoint-"+llamaHash, job)
	source := job.Spec.Template
	if source.Labels[v1alpha1.LabelCheckpointSource] != "true" || source.Annotations["nvidia.com/checkpoint-artifact"] != llamaHash || source.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("%+v", source)
	}
	if c.Status.IdentityHash != llamaHash || c.Status.JobName != job.Name || !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionJobCreated) {
		t.Errorf("%+v", c.Status)
	}
	return job
}

func TestACheckpointThatFailsIsNotTriedForEver(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	c := parse[v1alpha1.DynamoCheckpoint](t, ns, "{metadata: {name: c}, spec: {identity: {model: m, backendFramework: vllm}, job: {backoffLimit: 0, podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}}")
	create(t, c)
	checkpointIs(t, ns, "c", v1alpha1.CheckpointPhaseCreating, "runs")
	failed := corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Message: "no room\n"}},
	}}}
	jobPods(t, ns, "checkpoint-c", failed, func() error {
		get(t, ns, "c", c)
		if c.Status.Phase != v1alpha1.CheckpointPhaseFailed {
			return fmt.Errorf("%+v", c.Status)
		}
		return nil
	})
	const why = "container main ended with exit code 2: no room"
	checkpointIs(t, ns, "c", v1alpha1.CheckpointPhaseFailed, why)
	warned(t, c, "CheckpointFailed", why)
	// As when its ttlSecondsAfterFinished is over.
	job := &batchv1.Job{}
	get(t, ns, "checkpoint-c", job)
	if err := adminClient(t).Delete(context.Background(), job, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	gone(t, ns, "checkpoint-c", job)
	wake(t, c)
	checkpointIs(t, ns, "c", v1alpha1.CheckpointPhaseFailed, why)
	absent(t, &batchv1.JobList{}, ns)

	change(t, c, func(c *v1alpha1.DynamoCheckpoint) { c.Spec.Job.BackoffLimit = ptr.To[int32](1) })
	checkpointIs(t, ns, "c", v1alpha1.CheckpointPhaseCreating, "runs")
	// The one Job is that of the change.
	get(t, ns, "c", c)
	if get(t, ns, "checkpoint-c", job); job.Annotations["nvidia.com/checkpoint-generation"] != fmt.Sprint(c.Generation) {
		t.Errorf("the Job is of another spec than generation %d: %v", c.Generation, job.Annotations)
	}
}

// What the agent says is the status, and a Job that merely ends proves nothing.
func TestACheckpointIsReadyWhenTheAgentSaysSo(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	take := func(name string) *v1alpha1.DynamoCheckpoint {
		t.Helper()
		c := parse[v1alpha1.DynamoCheckpoint](t, ns, "{metadata: {name: "+name+"}, spec: {identity: {model: m-"+name+", backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}}")
		create(t, c)
		checkpointIs(t, ns, name, v1alpha1.CheckpointPhaseCreating, "runs")
		return c
	}
	take("blocked")
	const why = "process 7 has an io_uring"
	jobPods(t, ns, "checkpoint-blocked", said(protocol.ConditionCheckpointed, corev1.ConditionFalse, protocol.ReasonBlocked, why), func() error { return nil })
	blocked := checkpointIs(t, ns, "blocked", v1alpha1.CheckpointPhaseFailed, why)
	if ready := meta.FindStatusCondition(blocked.Status.Conditions, v1alpha1.ConditionReady); ready.Reason != protocol.ReasonBlocked {
		t.Errorf("%+v", ready)
	}
	warned(t, blocked, "CheckpointFailed", why)

	take("silent")
	jobSucceeds(t, ns, "checkpoint-silent")
	checkpointIs(t, ns, "silent", v1alpha1.CheckpointPhaseFailed, "no agent has said that the checkpoint is stored")

	// A second one of the same identity would be stored over the first.
	first := take("first")
	second := first.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Namespace: ns, Name: "second"}
	create(t, second)
	checkpointIs(t, ns, "second", v1alpha1.CheckpointPhasePending, "DynamoCheckpoint first is of the same identity")
}

func TestAGraphTellsHowItsPodsStarted(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, restored)
	dgd.Spec.Services["Worker"].Replicas = ptr.To[int32](3)
	create(t, dgd)
	checkpointIs(t, ns, llamaHash, v1alpha1.CheckpointPhaseCreating, "runs")
	agentStores(t, ns, "checkpoint-"+llamaHash)
	template := startsFrom(t, ns, llamaHash)
	// As the Deployment would make them.
	for name, status := range map[string]corev1.PodStatus{
		"restored": said(protocol.ConditionRestored, corev1.ConditionTrue, protocol.ReasonRestored, "in 1s"),
		"cold":     said(protocol.ConditionRestored, corev1.ConditionFalse, protocol.ReasonIncompatible, "kernel 6.1 instead of 6.2"),
		"forged":   {Phase: corev1.PodRunning},
	} {
		pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		pod.Namespace, pod.Name, pod.Spec.ServiceAccountName = ns, name, ""
		if name == "forged" {
			pod.Annotations["nvidia.com/snapshot-restore-status"] = "completed"
		}
		create(t, pod)
		pod.Status = status
		if err := adminClient(t).Status().Update(context.Background(), pod); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Eventually(t, "the graph's status", func() error {
		get(t, ns, "chat", dgd)
		got := dgd.Status.Checkpoints["Worker"]
		if !got.Ready || got.RestoredReplicas != 1 || got.ColdStartedReplicas != 1 || got.Message != "1 started anew: Incompatible: kernel 6.1 instead of 6.2" {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
}

// A process that is restored has the image that it was started with.
func TestAnotherImageMakesAnotherCheckpoint(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, restored)
	create(t, dgd)
	checkpointIs(t, ns, llamaHash, v1alpha1.CheckpointPhaseCreating, "runs")
	agentStores(t, ns, "checkpoint-"+llamaHash)
	startsFrom(t, ns, llamaHash)
	image := func(image string) {
		t.Helper()
		change(t, dgd, func(dgd *v1alpha1.DynamoGraphDeployment) {
			dgd.Spec.Services["Worker"].ExtraPodSpec.MainContainer.Image = image
		})
	}
	image("registry.example.com/runtime:2")
	startsFrom(t, ns, "")
	var second string
	cluster.Eventually(t, "another checkpoint is taken", func() error {
		get(t, ns, "chat", dgd)
		if second = dgd.Status.Checkpoints["Worker"].CheckpointName; !strings.HasPrefix(second, llamaHash+"-") {
			return fmt.Errorf("%+v", dgd.Status.Checkpoints)
		}
		return nil
	})
	checkpointIs(t, ns, second, v1alpha1.CheckpointPhaseCreating, "runs")
	agentStores(t, ns, "checkpoint-"+second)
	if c := checkpointIs(t, ns, second, v1alpha1.CheckpointPhaseReady, ""); c.Status.Location != "/checkpoints/"+second {
		t.Errorf("%+v", c.Status)
	}
	startsFrom(t, ns, second)
	image("registry.example.com/runtime:1")
	startsFrom(t, ns, llamaHash)
}

// Nothing can wait in the place of a command that only the image knows.
func TestAServiceWithoutACommandStartsAsItIs(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, restored)
	main := dgd.Spec.Services["Worker"].ExtraPodSpec.MainContainer
	main.Command, main.Args = nil, []string{"serve", "it"}
	create(t, dgd)
	startsFrom(t, ns, "")
	cluster.Eventually(t, "the graph says why", func() error {
		get(t, ns, "chat", dgd)
		without := meta.FindStatusCondition(dgd.Status.Conditions, "CheckpointsReady")
		if without == nil || !strings.Contains(without.Message, "write the entry point of its image as extraPodSpec.mainContainer.command") {
			return fmt.Errorf("%+v", dgd.Status.Conditions)
		}
		return nil
	})
	absent(t, &v1alpha1.DynamoCheckpointList{}, ns)
}

func TestCheckpointsThatAreNotWantedAnyMoreGo(t *testing.T) {
	ns := namespace(t)
	checkpoints(t, ns)
	for name, annotation := range map[string]string{"old": "nvidia.com/checkpoint-ttl: 1ms", "pinned": "nvidia.com/checkpoint-ttl: 1ms, nvidia.com/checkpoint-pin: 'true'", "used": "nvidia.com/checkpoint-ttl: 1ms"} {
		c := parse[v1alpha1.DynamoCheckpoint](t, ns, "{metadata: {name: "+name+", annotations: {"+annotation+"}}, spec: {identity: {model: m-"+name+", backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}}")
		create(t, c)
	}
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, restored)
	dgd.Spec.Services["Worker"].Checkpoint = &v1alpha1.ServiceCheckpointConfig{Enabled: true, CheckpointRef: "used"}
	create(t, dgd)
	cluster.Eventually(t, "the graph knows its checkpoint", func() error {
		if get(t, ns, "chat", dgd); dgd.Status.Checkpoints["Worker"].CheckpointName != "used" {
			return fmt.Errorf("%+v", dgd.Status.Checkpoints)
		}
		return nil
	})
	for _, name := range []string{"pinned", "used"} {
		checkpointIs(t, ns, name, v1alpha1.CheckpointPhaseCreating, "runs")
		agentStores(t, ns, "checkpoint-"+name)
		checkpointIs(t, ns, name, v1alpha1.CheckpointPhaseReady, "")
	}
	jobPods(t, ns, "checkpoint-old", stored, func() error {
		return client.IgnoreNotFound(adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "old"}, &v1alpha1.DynamoCheckpoint{}))
	})
	gone(t, ns, "old", &v1alpha1.DynamoCheckpoint{})
	for _, name := range []string{"pinned", "used"} {
		checkpointIs(t, ns, name, v1alpha1.CheckpointPhaseReady, "")
	}
}
