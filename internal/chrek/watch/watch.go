// Package watch does what the pods of its node ask for: it takes checkpoints of sources
// and restores them into targets, and says in the pods' status what came of it.
package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

const (
	// again is how often every pod is looked at, whether it changed or not.
	again = 10 * time.Second
	// farewell is how long work may go on when the agent is to end: to stop in the
	// middle of a dump is the worse the more of it is done.
	farewell = 20 * time.Second
)

// Watcher serves the pods of one namespace on one node.
type Watcher struct {
	Client kubernetes.Interface
	// Checkpoints are the DynamoCheckpoints of the namespace that is served.
	Checkpoints dynamic.ResourceInterface
	Engine      *engine.Engine
	Namespace   string // whose pods are served
	Own         string // the agent's namespace, where its Leases are
	Node        string
	Identity    string // who this agent is among all
	// Grace is how long an artifact stays that nobody means any more; 0: for ever.
	Grace time.Duration
	Log   *slog.Logger

	mutex sync.Mutex
	// begun are the tasks that were begun for a container, and those that have ended.
	begun map[task]bool
	ended map[types.UID]engine.Outcome
	work  sync.WaitGroup
	// dumping: one dump at a time has the disk for itself.
	dumping sync.Mutex
}

// task is something that is done once for a container.
type task struct {
	pod       types.UID
	container string
	action    action
}

// Run works until the context ends, and then until what it has begun has ended.
func (w *Watcher) Run(ctx context.Context) error {
	w.begun, w.ended = map[task]bool{}, map[types.UID]engine.Outcome{}
	if err := w.Engine.Store.Sweep(); err != nil {
		w.Log.Error("what interrupted dumps have left cannot be removed", "error", err)
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	pods := cache.NewListWatchFromClient(w.Client.CoreV1().RESTClient(), "pods", w.Namespace, fields.OneTermEqualSelector("spec.nodeName", w.Node))
	consider := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok && ctx.Err() == nil {
			w.consider(working, pod)
		}
	}
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: pods, ObjectType: &corev1.Pod{}, ResyncPeriod: again,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: consider, UpdateFunc: func(_, object any) { consider(object) }, DeleteFunc: w.forget,
		},
	})
	w.work.Go(func() { w.tidy(ctx) })
	controller.RunWithContext(ctx)
	time.AfterFunc(farewell, stop)
	w.work.Wait()
	return nil
}

func (w *Watcher) forget(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.ended, pod.UID)
	for t := range w.begun {
		if t.pod == pod.UID {
			delete(w.begun, t)
		}
	}
}

// consider begins what a pod asks for, unless it was begun before.
func (w *Watcher) consider(ctx context.Context, pod *corev1.Pod) {
	what, subject := decide(pod)
	if what == nothing {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if outcome, known := w.ended[pod.UID]; known && what != take && outcome.Reason != protocol.ReasonRestored {
		what = startAnew // what is seen of the pod may be older than what we did
	}
	t := task{pod.UID, subject.ID, what}
	if w.begun[t] || what != take && w.begun[task{pod.UID, subject.ID, restore}] {
		return // what is seen is the middle of what we do
	}
	w.begun[t] = true
	w.work.Go(func() {
		if !w.do(ctx, what, pod, subject) {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			delete(w.begun, t) // to be tried again
		}
	})
}

// do reports whether it is done, and not to be tried again for that container.
func (w *Watcher) do(ctx context.Context, what action, pod *corev1.Pod, s engine.Subject) bool {
	log := w.Log.With("pod", pod.Name, "container", s.Container, "artifact", s.Artifact)
	if what == take {
		return w.take(ctx, log, pod, s)
	}
	if !w.Engine.Waits(s) {
		return false // not yet, or not any more
	}
	switch what {
	case startAnew:
		if err := w.Engine.StartAnew(s); err != nil {
			log.Error("the container that waits cannot be told to start anew", "error", err)
			return false
		}
		return true
	case crashed:
		last := statusOf(pod, s.Container).LastTerminationState.Terminated
		w.conclude(ctx, log, pod, protocol.ConditionRestored, engine.Outcome{
			Reason: protocol.ReasonFailed, Finish: func() { _ = w.Engine.StartAnew(s) },
			Message: fmt.Sprintf("what was restored from %s ended after %s with exit code %d; the worker starts anew",
				s.Artifact, last.FinishedAt.Sub(last.StartedAt.Time), last.ExitCode),
		})
		return true
	case interrupted:
		outcome := engine.Outcome{
			Reason: protocol.ReasonFailed, Message: "the agent ended while it restored; the container is started again, and the worker anew in it",
			Finish: func() { _ = w.Engine.Kill(s) },
		}
		w.conclude(ctx, log, pod, protocol.ConditionRestored, outcome)
		return true
	}
	w.say(ctx, log, pod, protocol.ConditionRestored, corev1.ConditionUnknown, engine.Outcome{Reason: "Restoring", Message: "from " + s.Artifact})
	w.conclude(ctx, log, pod, protocol.ConditionRestored, w.Engine.Restore(ctx, s))
	return true
}

func (w *Watcher) take(ctx context.Context, log *slog.Logger, pod *corev1.Pod, s engine.Subject) bool {
	w.dumping.Lock()
	defer w.dumping.Unlock()
	if !protocol.ValidArtifact(s.Artifact) {
		w.conclude(ctx, log, pod, protocol.ConditionCheckpointed, engine.Outcome{
			Reason: protocol.ReasonFailed, Message: fmt.Sprintf("annotation %s: %q can be no name of a checkpoint", protocol.AnnotationArtifact, s.Artifact), Finish: func() {},
		})
		return true
	}
	held, release, err := w.hold(ctx, s.Artifact)
	if err != nil {
		log.Info("the checkpoint is not taken yet", "why", err)
		return false
	}
	outcome := w.Engine.Take(held, s)
	release()
	w.conclude(ctx, log, pod, protocol.ConditionCheckpointed, outcome)
	if err := w.signal(pod, s, outcome); err != nil {
		log.Warn("the process cannot be told what came of its checkpoint", "error", err)
	}
	return true
}

// signal tells the process. It looks for it anew, since it may have ended meanwhile.
func (w *Watcher) signal(pod *corev1.Pod, s engine.Subject, outcome engine.Outcome) error {
	file := signalFile(pod)
	if file == "" {
		return nil
	}
	said := protocol.Signal{
		CheckpointID: s.Artifact, CheckpointPath: w.Engine.Store.Location(s.Artifact),
		Timestamp: time.Now().UTC().Format(time.RFC3339), Success: outcome.Reason == protocol.ReasonStored,
	}
	if !said.Success {
		said.Error = outcome.Message
	}
	content, err := json.Marshal(said)
	if err != nil {
		return err
	}
	id, err := container.ID(s.ID)
	if err != nil {
		return err
	}
	found, err := container.Find("/proc", id)
	if err != nil {
		return err
	}
	return container.WriteIn("/proc", found.Worker.PID, file, content)
}
