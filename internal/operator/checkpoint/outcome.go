package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// Taken is what agents say of the pods of a Job that takes a checkpoint: that it is
// stored before that it is not, nil as long as they say nothing. Only conditions of
// pods are believed, which nobody can write who edits the namespace.
func Taken(job types.UID, pods []corev1.Pod) *corev1.PodCondition {
	var said *corev1.PodCondition
	for i := range pods {
		owner := metav1.GetControllerOf(&pods[i])
		c := protocol.Condition(&pods[i], protocol.ConditionCheckpointed)
		if owner == nil || owner.UID != job || c == nil || c.Status == corev1.ConditionUnknown {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			return c
		}
		said = c
	}
	return said
}

// Starts counts how pods started that were to start from a checkpoint.
type Starts struct {
	Restored, Cold int32
	// Why the cold ones did, "" if there are none.
	Why string
}

// StartsOf counts the pods that carry a checkpoint's hash. Those of which nobody
// says anything yet are left out, until they are ready.
func StartsOf(pods []corev1.Pod) Starts {
	var starts Starts
	reasons := map[string]int{}
	for i := range pods {
		pod := &pods[i]
		if pod.Labels[v1alpha1.LabelCheckpointHash] == "" || pod.DeletionTimestamp != nil {
			continue
		}
		c := protocol.Condition(pod, protocol.ConditionRestored)
		switch {
		case c != nil && c.Status == corev1.ConditionTrue:
			starts.Restored++
		case c != nil && c.Status == corev1.ConditionFalse:
			starts.Cold++
			reasons[strings.TrimSuffix(cmp.Or(c.Reason, protocol.ReasonFailed)+": "+c.Message, ": ")]++
		case isReady(pod):
			starts.Cold++
			reasons[fmt.Sprintf("NoAnswer: no agent of the node has said anything within %s", protocol.Patience)]++
		}
	}
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		why = append(why, fmt.Sprintf("%d started anew: %s", reasons[reason], reason))
	}
	starts.Why = strings.Join(why, "; ")
	return starts
}

func isReady(pod *corev1.Pod) bool {
	c := protocol.Condition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}
