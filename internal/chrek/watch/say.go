package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

const (
	component = "chrek-agent"
	// longest is how long a message is at most, in characters.
	longest = 800
)

// patience is for an API server that does not answer: some half a minute.
var patience = wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Steps: 8, Cap: 10 * time.Second}

// conclude says what came of a task.
func (w *Watcher) conclude(ctx context.Context, log *slog.Logger, pod *corev1.Pod, kind corev1.PodConditionType, outcome engine.Outcome) {
	status, level := corev1.ConditionFalse, slog.LevelWarn
	if outcome.Reason == protocol.ReasonStored || outcome.Reason == protocol.ReasonRestored {
		status, level = corev1.ConditionTrue, slog.LevelInfo
	}
	log.Log(ctx, level, outcome.Message, "condition", kind, "reason", outcome.Reason)
	w.say(ctx, log, pod, kind, status, outcome)
	w.event(ctx, log, pod, status, outcome)
}

// say writes a condition. What the pod did not get to know is in the agent's log.
func (w *Watcher) say(ctx context.Context, log *slog.Logger, pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus, outcome engine.Outcome) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": map[string]any{"conditions": []any{map[string]any{
			"type": kind, "status": status, "reason": outcome.Reason, "message": plain.Text(outcome.Message, longest),
			"lastTransitionTime": metav1.Now(),
		}}},
	})
	if err == nil {
		err = wait.ExponentialBackoffWithContext(ctx, patience, func(ctx context.Context) (bool, error) {
			_, err := w.Client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: component}, "status")
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
				return false, err
			}
			return err == nil, nil
		})
	}
	if err != nil {
		log.Error("the condition cannot be written", "condition", kind, "error", err)
	}
}

func (w *Watcher) event(ctx context.Context, log *slog.Logger, pod *corev1.Pod, status corev1.ConditionStatus, outcome engine.Outcome) {
	kind := corev1.EventTypeNormal
	if status != corev1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	now := metav1.Now()
	_, err := w.Client.CoreV1().Events(pod.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: plain.Cut(pod.Name, 200) + ".", Namespace: pod.Namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Reason:         "Checkpoint" + outcome.Reason, Message: plain.Text(outcome.Message, longest), Type: kind,
		Source: corev1.EventSource{Component: component, Host: w.Node}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	if err != nil {
		log.Warn("the event cannot be written", "error", err)
	}
}
