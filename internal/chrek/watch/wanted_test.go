package watch

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
)

func named(name, model string) v1alpha1.DynamoCheckpoint {
	c := v1alpha1.DynamoCheckpoint{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a"}}
	c.Spec.Identity.Model, c.Spec.Identity.BackendFramework = model, "vllm"
	return c
}

func meaning(name, annotation, artifact string, phase corev1.PodPhase) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a", Annotations: map[string]string{annotation: artifact}},
		Status:     corev1.PodStatus{Phase: phase},
	}
}

func TestWhoMeansAnArtifact(t *testing.T) {
	one, further := named("by-hand", "llama"), named("", "llama")
	hash := checkpoint.Hash(one.Spec.Identity)
	further.Name = hash + "-0a1b2c3d"
	moved := named("edited", "mistral")
	moved.Status.Location = "/checkpoints/former"
	got := wanted([]v1alpha1.DynamoCheckpoint{one, further, moved}, []corev1.Pod{
		meaning("source", protocol.AnnotationArtifact, "taken", corev1.PodRunning),
		meaning("target", protocol.AnnotationRestoreFrom, "restored", corev1.PodPending),
		meaning("done", protocol.AnnotationArtifact, "ended", corev1.PodSucceeded),
		meaning("broken", protocol.AnnotationRestoreFrom, "failed", corev1.PodFailed),
	})
	for artifact, by := range map[string]string{
		hash:                                 "DynamoCheckpoint team-a/by-hand",
		further.Name:                         "DynamoCheckpoint team-a/" + further.Name,
		checkpoint.Hash(moved.Spec.Identity): "DynamoCheckpoint team-a/edited", "former": "DynamoCheckpoint team-a/edited",
		"taken": "pod team-a/source", "restored": "pod team-a/target", "ended": "", "failed": "",
	} {
		if got[artifact] != by {
			t.Errorf("%s is meant by %q, want %q", artifact, got[artifact], by)
		}
	}
}

func TestWhatNobodyMeansGoesAfterItsTime(t *testing.T) {
	seen := idle{}
	stored := []string{"a", "b"}
	for _, step := range []struct {
		says   string
		at     time.Duration
		stored []string
		wanted map[string]string
		due    []string
	}{
		{"seen first", 0, stored, map[string]string{"b": "pod"}, nil},
		{"not long enough", 59, stored, map[string]string{}, nil},
		{"long enough for one", 60, stored, map[string]string{}, []string{"a"}},
		{"meant again", 100, stored, map[string]string{"a": "pod"}, nil},
		{"begins anew", 101, stored, map[string]string{}, nil},
		{"both are gone", 130, nil, map[string]string{}, nil},
		{"another of that name", 200, stored, map[string]string{}, nil},
		{"for long", 260, stored, map[string]string{}, stored},
	} {
		if got := seen.due(step.stored, step.wanted, step.at, 60); !slices.Equal(got, step.due) {
			t.Errorf("%s: %v are due, want %v", step.says, got, step.due)
		}
	}
}
