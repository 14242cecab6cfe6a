package checkpoint

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

func pod(conditions ...corev1.PodCondition) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelCheckpointHash: "h"}, Annotations: map[string]string{
			// What anybody can write who edits the namespace.
			protocol.AnnotationRestoreFrom: "h", "nvidia.com/snapshot-restore-status": "completed",
		}},
		Status: corev1.PodStatus{Conditions: conditions},
	}
}

func of(job string, p corev1.Pod) corev1.Pod {
	p.OwnerReferences = []metav1.OwnerReference{{UID: types.UID(job), Controller: ptr.To(true)}}
	return p
}

func says(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) corev1.PodCondition {
	return corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message}
}

func TestHowPodsStarted(t *testing.T) {
	restored := says(protocol.ConditionRestored, corev1.ConditionTrue, protocol.ReasonRestored, "in 1s")
	unfit := says(protocol.ConditionRestored, corev1.ConditionFalse, protocol.ReasonIncompatible, "kernel 6.1 instead of 6.2")
	ready := says(corev1.PodReady, corev1.ConditionTrue, "", "")
	cold, leaving := pod(ready), pod(restored)
	cold.Labels = nil
	leaving.DeletionTimestamp = &metav1.Time{}
	got := StartsOf([]corev1.Pod{pod(restored, ready), pod(restored), pod(unfit, ready), pod(unfit), pod(), pod(ready), cold, leaving})
	want := Starts{Restored: 2, Cold: 3, Why: "2 started anew: Incompatible: kernel 6.1 instead of 6.2; 1 started anew: NoAnswer: no agent of the node has said anything within 2m0s"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// Annotations and labels prove nothing.
	if got := StartsOf([]corev1.Pod{pod()}); got != (Starts{}) {
		t.Errorf("%+v", got)
	}
}

func TestWhetherACheckpointWasTaken(t *testing.T) {
	stored := says(protocol.ConditionCheckpointed, corev1.ConditionTrue, protocol.ReasonStored, "1.2 GiB")
	blocked := says(protocol.ConditionCheckpointed, corev1.ConditionFalse, protocol.ReasonBlocked, "io_uring")
	unknown := says(protocol.ConditionCheckpointed, corev1.ConditionUnknown, "", "")
	for name, tc := range map[string]struct {
		pods []corev1.Pod
		want string
	}{
		"nobody says":          {[]corev1.Pod{of("j", pod())}, ""},
		"not yet":              {[]corev1.Pod{of("j", pod(unknown))}, ""},
		"stored":               {[]corev1.Pod{of("j", pod(stored))}, "Stored"},
		"not stored":           {[]corev1.Pod{of("j", pod(blocked))}, "Blocked"},
		"of a second pod":      {[]corev1.Pod{of("j", pod(blocked)), of("j", pod(stored))}, "Stored"},
		"of a pod beside it":   {[]corev1.Pod{pod(stored)}, ""},
		"of another Job's pod": {[]corev1.Pod{of("k", pod(stored))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if c := Taken("j", tc.pods); c != nil {
				got = c.Reason
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
