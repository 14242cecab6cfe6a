package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const largeGraph = `
metadata: {name: large}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    Worker:
      componentType: worker
      replicas: 2
      multinode: {nodeCount: 2}
      resources: {limits: {gpu: "1"}}
      extraPodSpec:
        schedulerName: mine
        mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.vllm], args: [-tp, "2"]}
`

// TestGroupsComeAndGoWithTheirAPI takes a graph over several nodes through all
// of its life, under the real controller of LeaderWorkerSet: the API is missing,
// appears, and goes, and the operator is the same all the time.
func TestGroupsComeAndGoWithTheirAPI(t *testing.T) {
	ns := namespace(t)
	operator := start(t, within(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, largeGraph))
	condition(t, ns, "large", says("MultinodeOrchestratorNotAvailable: service Worker: multinode.nodeCount is above 1"))
	pathway(t, ns, metav1.ConditionFalse, "MissingAPI")
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)

	api := shared.StartLeaderWorkerSets(t, adminClient(t))
	groupsOf(t, ns, 2)
	pathway(t, ns, metav1.ConditionTrue, "LeaderWorkerSet")
	condition(t, ns, "large", says("0/2 groups ready"))
	checkGroup(t, ns)

	t.Run("all pods make a group ready", func(t *testing.T) {
		play(t, ns, func(pod *corev1.Pod) bool { return pod.Labels["role"] != "worker" })
		condition(t, ns, "large", says("Worker: 0/2 groups ready"))
		play(t, ns, func(*corev1.Pod) bool { return true })
		condition(t, ns, "large", isReady)
		dgd := &v1alpha1.DynamoGraphDeployment{}
		get(t, ns, "large", dgd)
		want := v1alpha1.ServiceReplicaStatus{ComponentKind: "LeaderWorkerSet", ComponentName: "large-worker", Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: ptr.To[int32](2)}
		if got := dgd.Status.Services["Worker"]; got.ComponentKind != want.ComponentKind || got.Replicas != 2 || got.UpdatedReplicas != 2 || ptr.Deref(got.ReadyReplicas, 0) != 2 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("a settled graph is not written", func(t *testing.T) {
		before := operator.settled(t)
		change(t, &v1alpha1.DynamoGraphDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "large"}}, func(d *v1alpha1.DynamoGraphDeployment) {
			d.Annotations = map[string]string{"example.com/note": "a"}
		})
		condition(t, ns, "large", isReady)
		if n := operator.writes.Load() - before; n > 0 {
			t.Errorf("%d writes for nothing", n)
		}
	})
	t.Run("a pod that ends takes its group along", func(t *testing.T) {
		before := uids(t, ns)
		// A restarted container stays visible until the group is made anew; a pod
		// that is gone at once can be replaced before anybody looks.
		cluster.Eventually(t, "a container that restarted", func() error {
			ended := &corev1.Pod{}
			get(t, ns, "large-worker-0-1", ended)
			ended.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: v1alpha1.MainContainerName, RestartCount: 1}}
			return adminClient(t).Status().Update(context.Background(), ended)
		})
		cluster.Eventually(t, "group 0 is made anew, and group 1 is not", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			now := uids(t, ns)
			for name, uid := range now {
				if same := before[name] == uid; same != strings.HasPrefix(name, "large-worker-1") {
					return fmt.Errorf("%s: the same as before: %v", name, same)
				}
			}
			if len(now) != 4 {
				return fmt.Errorf("%d pods", len(now))
			}
			return nil
		})
	})
	t.Run("a change replaces the groups", func(t *testing.T) {
		change(t, &v1alpha1.DynamoGraphDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "large"}}, func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["Worker"].ExtraPodSpec.MainContainer.Image = "registry.example.com/runtime:2"
		})
		cluster.Eventually(t, "all pods are new", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			dgd := &v1alpha1.DynamoGraphDeployment{}
			get(t, ns, "large", dgd)
			if ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady); ready.ObservedGeneration != dgd.Generation || ready.Status != metav1.ConditionTrue {
				return errors.New(ready.Message)
			}
			for _, pod := range pods(t, ns, "large-worker") {
				if image := pod.Spec.Containers[0].Image; image != "registry.example.com/runtime:2" {
					return fmt.Errorf("%s has %s", pod.Name, image)
				}
			}
			return nil
		})
	})

	api.Remove(t)
	condition(t, ns, "large", says("MultinodeOrchestratorNotAvailable"))
	pathway(t, ns, metav1.ConditionFalse, "MissingAPI")
	get(t, ns, "large-frontend", &appsv1.Deployment{}) // what runs is left alone
}

// TestAChangeOfWorkloadMovesIt: a component written by hand may go from one
// node to several and back.
func TestAChangeOfWorkloadMovesIt(t *testing.T) {
	ns := namespace(t)
	shared.StartLeaderWorkerSets(t, adminClient(t))
	start(t, within(ns))
	dcd := parse[v1alpha1.DynamoComponentDeployment](t, ns, `
metadata: {name: alone}
spec: {serviceName: alone, componentType: worker, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1", command: [serve]}}}
`)
	create(t, dcd)
	get(t, ns, "alone", &appsv1.Deployment{})
	change(t, dcd, func(d *v1alpha1.DynamoComponentDeployment) { d.Spec.Multinode = &v1alpha1.MultinodeSpec{NodeCount: 2} })
	get(t, ns, "alone", &lwsv1.LeaderWorkerSet{})
	gone(t, ns, "alone", &appsv1.Deployment{})
	change(t, dcd, func(d *v1alpha1.DynamoComponentDeployment) { d.Spec.Multinode = nil })
	get(t, ns, "alone", &appsv1.Deployment{})
	gone(t, ns, "alone", &lwsv1.LeaderWorkerSet{})
}

func pathway(t *testing.T, namespace string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	cluster.Eventually(t, "the pathway is "+reason, func() error {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		get(t, namespace, "large", dgd)
		chosen := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionPathwayChosen)
		if chosen == nil || chosen.Status != status || chosen.Reason != reason {
			return fmt.Errorf("it is %+v", chosen)
		}
		if asOne := meta.IsStatusConditionFalse(dgd.Status.Conditions, v1alpha1.ConditionGroupsScheduledAsOne); asOne != (status == metav1.ConditionTrue) {
			return fmt.Errorf("that groups are not scheduled as one is said: %v", asOne)
		}
		return nil
	})
}

// groupsOf waits until each group has a leader and a worker.
func groupsOf(t *testing.T, namespace string, groups int) {
	t.Helper()
	cluster.Eventually(t, "the pods of the groups", func() error {
		var names []string
		for _, pod := range pods(t, namespace, "large-worker") {
			names = append(names, pod.Name)
		}
		if len(names) != 2*groups {
			return fmt.Errorf("there are %v", names)
		}
		return nil
	})
}

// checkGroup looks at what LeaderWorkerSet has made of the first group.
func checkGroup(t *testing.T, namespace string) {
	t.Helper()
	leader, worker := &corev1.Pod{}, &corev1.Pod{}
	get(t, namespace, "large-worker-0", leader)
	get(t, namespace, "large-worker-0-1", worker)
	for _, pod := range []*corev1.Pod{leader, worker} {
		if pod.Spec.SchedulerName != "mine" {
			t.Errorf("pod %s is scheduled by %s, and its author said mine", pod.Name, pod.Spec.SchedulerName)
		}
		address := slices.IndexFunc(pod.Spec.Containers[0].Env, func(v corev1.EnvVar) bool {
			return v.Name == "LWS_LEADER_ADDRESS" && v.Value == "large-worker-0.large-worker-0."+namespace
		})
		if address < 0 {
			t.Errorf("pod %s does not know its leader: %v", pod.Name, pod.Spec.Containers[0].Env)
		}
	}
	if !strings.Contains(leader.Spec.Containers[0].Command[2], "ray start --head") || !strings.Contains(worker.Spec.Containers[0].Command[2], "ray start --address") {
		t.Errorf("the leader runs %q, the worker %q", leader.Spec.Containers[0].Command, worker.Spec.Containers[0].Command)
	}
	service, headless := &corev1.Service{}, &corev1.Service{}
	get(t, namespace, "large-worker", service)
	get(t, namespace, "large-worker-0", headless)
	if service.Spec.Selector["role"] != "leader" || headless.Spec.ClusterIP != corev1.ClusterIPNone {
		t.Errorf("the Service selects %v, that of the group has address %s", service.Spec.Selector, headless.Spec.ClusterIP)
	}
}

// play is the kubelet of all pods of the namespace, once; those that are not to
// be ready are only running.
func play(t *testing.T, namespace string, ready func(*corev1.Pod) bool) {
	t.Helper()
	var list corev1.PodList
	if err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	var errs []error
	put := func(err error) {
		// Who was faster made a pod anew, or changed it.
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp != nil {
			put(adminClient(t).Delete(context.Background(), pod, client.GracePeriodSeconds(0)))
			continue
		}
		is := ready(pod)
		if pod.Status.Phase == corev1.PodRunning && readyNow(pod) == is {
			continue
		}
		pod.Status = running
		if !is {
			pod.Status.Conditions = running.Conditions[:1]
		}
		put(adminClient(t).Status().Update(context.Background(), pod))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func readyNow(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func uids(t *testing.T, namespace string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pod := range pods(t, namespace, "large-worker") {
		found[pod.Name] = string(pod.UID)
	}
	return found
}
