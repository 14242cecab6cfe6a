package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestGroupsAreGangsOfVolcano: a LeaderWorkerSet that is told to makes a PodGroup for
// each group, in the queue that the service says; the scheduler is the author's choice,
// and the condition says what is missing.
func TestGroupsAreGangsOfVolcano(t *testing.T) {
	ns := namespace(t)
	shared.StartGangs(t, adminClient(t))
	start(t, within(ns))
	text := strings.Replace(largeGraph, "        schedulerName: mine\n", "", 1)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, strings.Replace(text, "      replicas: 2\n", "      replicas: 2\n      annotations: {scheduling.volcano.sh/queue-name: research}\n", 1))
	create(t, dgd)
	groupsOf(t, ns, 2)
	oneByOne(t, ns, "extraPodSpec.schedulerName of the service is volcano")
	if scheduler := pods(t, ns, "large-worker")[0].Spec.SchedulerName; scheduler != corev1.DefaultSchedulerName {
		t.Errorf("the operator chose the scheduler %s", scheduler)
	}

	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Worker"].ExtraPodSpec.PodSpec = &corev1.PodSpec{SchedulerName: "volcano"}
	})
	cluster.Eventually(t, "every group has its PodGroup", func() error {
		play(t, ns, func(*corev1.Pod) bool { return true })
		all := pods(t, ns, "large-worker")
		if len(all) != 4 {
			return fmt.Errorf("%d pods, want 4", len(all))
		}
		for _, pod := range all {
			if pod.Spec.SchedulerName != "volcano" {
				return fmt.Errorf("%s is scheduled by %s", pod.Name, pod.Spec.SchedulerName)
			}
			group := &unstructured.Unstructured{}
			group.SetGroupVersionKind(render.PodGroups.WithKind("PodGroup"))
			key := client.ObjectKey{Namespace: ns, Name: pod.Annotations["scheduling.k8s.io/group-name"]}
			if err := adminClient(t).Get(context.Background(), key, group); err != nil {
				return err
			}
			least, _, _ := unstructured.NestedInt64(group.Object, "spec", "minMember")
			queue, _, _ := unstructured.NestedString(group.Object, "spec", "queue")
			if least != 2 || queue != "research" {
				return fmt.Errorf("%s is a gang of %d in queue %q", key.Name, least, queue)
			}
		}
		return oneByOneIs(t, ns, "")
	})
	cluster.Eventually(t, "the graph is ready", func() error {
		play(t, ns, func(*corev1.Pod) bool { return true })
		get(t, ns, "large", dgd)
		if ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady); !isReady(*ready) {
			return errors.New(ready.Message)
		}
		return oneByOneIs(t, ns, "")
	})
}

// oneByOne waits until the condition says that pods are scheduled one by one.
func oneByOne(t *testing.T, namespace, hint string) {
	t.Helper()
	cluster.Eventually(t, "the condition says "+hint, func() error { return oneByOneIs(t, namespace, hint) })
}

func oneByOneIs(t *testing.T, namespace, hint string) error {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, "large", dgd)
	is := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionGroupsScheduledAsOne)
	if (is == nil) != (hint == "") || is != nil && !strings.Contains(is.Message, hint) {
		return fmt.Errorf("it is %+v", is)
	}
	return nil
}
