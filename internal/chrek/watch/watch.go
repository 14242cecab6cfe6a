// Package watch does what the pods of its node ask for: it takes checkpoints of sources
// and restores them into targets, and says in the pods' status what came of it.
package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
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
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/metrics"
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

	mutex   sync.Mutex
	starter starter
	// taken are the containers of which a checkpoint was taken, or is.
	taken  map[target]bool
	starts map[target]*start
	// ended is how the last start of a pod's container was decided.
	ended map[types.UID]engine.Outcome
	work  sync.WaitGroup
	// dumping: one dump at a time has the disk for itself.
	dumping sync.Mutex
}

// init makes it ready to look at pods.
func (w *Watcher) init() {
	w.starter = w.Engine
	w.taken, w.starts, w.ended = map[target]bool{}, map[target]*start{}, map[types.UID]engine.Outcome{}
}

// Run works until the context ends, and then until what it has begun has ended.
func (w *Watcher) Run(ctx context.Context) error {
	w.init()
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
	maps.DeleteFunc(w.taken, func(of target, _ bool) bool { return of.pod == pod.UID })
	maps.DeleteFunc(w.starts, func(of target, _ *start) bool { return of.pod == pod.UID })
}

// consider begins what a pod asks for, unless it was begun before.
func (w *Watcher) consider(ctx context.Context, pod *corev1.Pod) {
	what, subject := decide(pod)
	if what == nothing {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if what != take {
		w.considerStart(ctx, what, pod, subject)
		return
	}
	of := target{pod.UID, subject.ID}
	if w.taken[of] {
		return
	}
	w.taken[of] = true
	w.work.Go(func() {
		if !w.take(ctx, w.logOf(pod, subject), pod, subject) {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			delete(w.taken, of) // to be tried again
		}
	})
}

// take reports whether it is done, and not to be tried again for that container.
func (w *Watcher) take(ctx context.Context, log *slog.Logger, pod *corev1.Pod, s engine.Subject) bool {
	w.dumping.Lock()
	defer w.dumping.Unlock()
	if !protocol.ValidArtifact(s.Artifact) {
		w.conclude(ctx, log, pod, protocol.ConditionCheckpointed, engine.Outcome{
			Reason: protocol.ReasonFailed, Message: fmt.Sprintf("annotation %s: %q can be no name of a checkpoint", protocol.AnnotationArtifact, s.Artifact),
		})
		return true
	}
	held, release, err := w.hold(ctx, s.Artifact)
	if err != nil {
		log.Info("the checkpoint is not taken yet", "why", err)
		return false
	}
	outcome := counted(metrics.Checkpoint, func() engine.Outcome { return w.Engine.Take(held, s) })
	release()
	w.conclude(ctx, log, pod, protocol.ConditionCheckpointed, outcome)
	if err := w.signal(pod, s, outcome); err != nil {
		log.Warn("the process cannot be told what came of its checkpoint", "error", err)
	}
	return true
}

// counted counts what work comes to.
func counted(what metrics.Operation, work func() engine.Outcome) engine.Outcome {
	end := metrics.Begin(what)
	outcome := work()
	end(metrics.Ended{Reason: outcome.Reason, Phases: outcome.Phases, Memory: outcome.Memory, Fact: outcome.Fact})
	return outcome
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
