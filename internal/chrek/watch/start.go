package watch

import (
	"context"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// starter starts what waits: the engine.
type starter interface {
	State(s engine.Subject) engine.State
	Restore(ctx context.Context, s engine.Subject, begins func()) engine.Outcome
	Do(ctx context.Context, s engine.Subject, next engine.Step) error
}

// target is a container of a pod.
type target struct {
	pod       types.UID
	container string
}

// start is what was done for it.
type start struct {
	working bool
	// known: it was decided how it starts, and next is what is left of that until the
	// container waits no more.
	known bool
	next  engine.Step
}

// considerStart begins what is to be done for a container that may wait, unless that goes
// on, or nothing is left of it.
func (w *Watcher) considerStart(ctx context.Context, what action, pod *corev1.Pod, s engine.Subject) {
	of := target{pod.UID, s.ID}
	at := w.starts[of]
	if at == nil {
		at = &start{}
		w.starts[of] = at
	}
	if at.working || at.known && at.next == engine.Nothing {
		return
	}
	if outcome, known := w.ended[pod.UID]; known && outcome.Reason != protocol.ReasonRestored {
		what = startAnew // what is seen of the pod may be older than what we did
	}
	at.working = true
	w.work.Go(func() {
		known, next := at.known, at.next
		if !known {
			known, next = w.start(ctx, what, pod, s)
		} else {
			w.follow(ctx, w.logOf(pod, s), pod, s, next)
		}
		w.mutex.Lock()
		defer w.mutex.Unlock()
		at.working, at.known, at.next = false, known, next
	})
}

// start decides how a container starts, and reports what that is: it is looked at again
// until it waits no more.
func (w *Watcher) start(ctx context.Context, what action, pod *corev1.Pod, s engine.Subject) (known bool, next engine.Step) {
	log := w.logOf(pod, s)
	state := w.starter.State(s)
	if state == engine.Away {
		return false, engine.Nothing
	}
	if state == engine.Begun && what != startAnew {
		what = interrupted
	}
	var outcome engine.Outcome
	switch what {
	case startAnew: // the reason was said before
		next = w.left(pod)
		w.follow(ctx, log, pod, s, next)
		return true, next
	case crashed:
		last := statusOf(pod, s.Container).LastTerminationState.Terminated
		outcome = engine.Outcome{
			Reason: protocol.ReasonFailed, Next: engine.StartAnew,
			Message: fmt.Sprintf("what was restored from %s ended after %s with exit code %d; the worker starts anew",
				s.Artifact, last.FinishedAt.Sub(last.StartedAt.Time), last.ExitCode),
		}
	case interrupted:
		outcome = engine.Outcome{
			Reason: protocol.ReasonFailed, Next: engine.GiveUp,
			Message: "the agent ended while it restored; the worker starts anew",
		}
	default:
		outcome = counted(metrics.Restore, func() engine.Outcome {
			return w.starter.Restore(ctx, s, func() {
				w.say(ctx, log, pod, protocol.ConditionRestored, corev1.ConditionUnknown, engine.Outcome{Reason: "Restoring", Message: "from " + s.Artifact})
			})
		})
	}
	if outcome.Reason == "" {
		log.Info("the container has ended before it was restored", "why", outcome.Message)
		return false, engine.Nothing
	}
	w.mutex.Lock()
	w.ended[pod.UID] = outcome
	w.mutex.Unlock()
	// Nobody waits longer than need be; a container that ends is started again by who has
	// to find the reason.
	if outcome.Next != engine.GiveUp {
		w.follow(ctx, log, pod, s, outcome.Next)
	}
	w.conclude(ctx, log, pod, protocol.ConditionRestored, outcome)
	if outcome.Next == engine.GiveUp {
		w.follow(ctx, log, pod, s, outcome.Next)
	}
	return true, outcome.Next
}

// left is what is left of how the pod's last start was decided. A container that ended
// before it was done leaves it to the next one.
func (w *Watcher) left(pod *corev1.Pod) engine.Step {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if outcome, known := w.ended[pod.UID]; known && outcome.Next != engine.Nothing {
		return outcome.Next
	}
	return engine.StartAnew
}

// follow does what is left; what fails is tried again when the pod is looked at again.
func (w *Watcher) follow(ctx context.Context, log *slog.Logger, pod *corev1.Pod, s engine.Subject, next engine.Step) {
	if w.starter.State(s) == engine.Away {
		return
	}
	if err := w.starter.Do(ctx, s, next); err != nil {
		log.Error("a container that waits cannot be told how to start", "error", err)
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if outcome := w.ended[pod.UID]; next == engine.GiveUp && outcome.Next == engine.GiveUp {
		outcome.Next = engine.StartAnew
		w.ended[pod.UID] = outcome
	}
}

func (w *Watcher) logOf(pod *corev1.Pod, s engine.Subject) *slog.Logger {
	return w.Log.With("pod", pod.Name, "container", s.Container, "artifact", s.Artifact)
}
