package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is how far a step has come.
type State string

// The states of steps.
const (
	StateStarted  State = "started"
	StateProgress State = "progress"
	StateDone     State = "done"
	StateFailed   State = "failed"
	StateSkipped  State = "skipped"
)

// Event tells what happens to a step.
type Event struct {
	Time    time.Time `json:"time"`
	Step    Step      `json:"step"`
	State   State     `json:"state"`
	Message string    `json:"message,omitempty"`
	// Elapsed is the time since the step started.
	Elapsed time.Duration `json:"elapsed,omitempty"`
	// Record is the release after a release step that is done.
	Record Record `json:"record,omitzero"`
}

// DefaultParallel is how many steps write at the same time: as many as keep a
// small API server busy. A large one queues what is too much for it.
const DefaultParallel = 32

// Options of an execution.
type Options struct {
	// Parallel bounds the steps that write at the same time; the default is
	// DefaultParallel.
	// Waiting is not bounded.
	Parallel int
	// Serial does one step at a time, in the order of the plan.
	Serial bool
	// NoWait leaves out all gates but those for CRDs and between waves.
	NoWait bool
	// Patience is how long a gate may stand still; default 5 minutes.
	Patience time.Duration
	// Notify receives events, one at a time; may be nil.
	Notify func(Event)
}

// ErrStopped is the cause of an interrupt that a person asked for.
var ErrStopped error = stopped{}

// stopped counts as a cancelled context, wherever that is asked.
type stopped struct{}

func (stopped) Error() string        { return "stopped on request" }
func (stopped) Is(target error) bool { return target == context.Canceled }

// notStarted is the outcome of a step that an interrupt kept from starting.
type notStarted struct{ cause error }

func (e notStarted) Error() string { return "not started: " + e.cause.Error() }

// causeOf says why a context has ended.
func causeOf(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrStopped
}

// Execute walks the plan. A step starts the moment its own needs are met; a
// failed branch never holds an unrelated one. When ctx ends, no further step
// starts and waiting ends, but a Helm operation that has begun is finished:
// half of one is what must never be left behind.
func Execute(ctx context.Context, plan *Plan, releases Releases, cluster Cluster, options Options) *Result {
	if options.Parallel <= 0 {
		options.Parallel = DefaultParallel
	}
	if options.Patience <= 0 {
		options.Patience = 5 * time.Minute
	}
	e := &execution{
		releases: releases, cluster: cluster, Options: options,
		slots: make(chan struct{}, options.Parallel),
		nodes: map[string]*node{},
	}
	for _, step := range plan.Steps {
		e.nodes[step.ID] = &node{Outcome: Outcome{Step: step}, done: make(chan struct{})}
	}
	if options.Serial {
		for _, id := range plan.inOrder() {
			e.run(ctx, e.nodes[id])
		}
		return e.result(plan)
	}
	var walk sync.WaitGroup
	for _, n := range e.nodes {
		walk.Go(func() { e.run(ctx, n) })
	}
	walk.Wait()
	return e.result(plan)
}

type execution struct {
	Options
	releases Releases
	cluster  Cluster
	slots    chan struct{}
	nodes    map[string]*node
	notify   sync.Mutex
}

// node is a step with its outcome, which is written before done closes.
type node struct {
	Outcome
	done chan struct{}
}

func (e *execution) run(ctx context.Context, n *node) {
	defer close(n.done)
	if culprit := e.awaitNeeds(n); culprit != nil {
		var left notStarted
		if errors.As(culprit.Err, &left) {
			n.State, n.Err = StateSkipped, left
			return
		}
		n.State, n.Err = StateSkipped, fmt.Errorf("skipped because of %s", culprit.Step.ID)
		e.tell(n, StateSkipped, n.Err.Error(), 0)
		return
	}
	release, ok := e.slot(ctx, n)
	if !ok {
		n.State, n.Err = StateSkipped, notStarted{causeOf(ctx)}
		return
	}
	defer release()

	started := time.Now()
	n.Started = started
	e.tell(n, StateStarted, n.Step.Reason, 0)
	n.Record, n.Err = e.perform(ctx, n, started)
	n.Took = time.Since(started)
	n.State = StateDone
	message := ""
	if n.Err != nil {
		n.State, message = StateFailed, n.Err.Error()
		if ctx.Err() != nil && (errors.Is(n.Err, context.Canceled) || errors.Is(n.Err, context.Cause(ctx))) {
			n.State, n.Err = StateSkipped, notStarted{causeOf(ctx)}
			message = "no longer waited for: " + causeOf(ctx).Error()
		}
	}
	e.tell(n, n.State, message, n.Took)
}

// awaitNeeds blocks until all needs have ended and returns one that did not
// succeed, nil if all did.
func (e *execution) awaitNeeds(n *node) *node {
	var culprit *node
	for _, id := range n.Step.Needs {
		need := e.nodes[id]
		if need == nil {
			continue
		}
		<-need.done
		if need.State != StateDone && culprit == nil {
			culprit = need.cause(e)
		}
	}
	return culprit
}

// cause follows skipped steps to the one that failed.
func (n *node) cause(e *execution) *node {
	if n.State != StateSkipped {
		return n
	}
	for _, id := range n.Step.Needs {
		if need := e.nodes[id]; need != nil && need.State != StateDone {
			return need.cause(e)
		}
	}
	return n
}

// slot admits a writing step; waiting steps need none.
func (e *execution) slot(ctx context.Context, n *node) (release func(), ok bool) {
	if ctx.Err() != nil {
		return nil, false
	}
	if !n.Step.Action.Changes() {
		return func() {}, true
	}
	select {
	case e.slots <- struct{}{}:
		if ctx.Err() != nil {
			<-e.slots
			return nil, false
		}
		return func() { <-e.slots }, true
	case <-ctx.Done():
		return nil, false
	}
}

func (e *execution) perform(ctx context.Context, n *node, started time.Time) (Record, error) {
	step, progress := n.Step, func(message string) { e.tell(n, StateProgress, message, time.Since(started)) }
	switch step.Kind {
	case StepNamespace:
		return e.namespace(ctx, step)
	case StepRelease:
		return e.release(WithWaiting(context.WithoutCancel(ctx), Waiting{Patience: e.Patience, Report: progress}), step)
	case StepGate:
		return e.gate(ctx, step, progress)
	case StepCertificate:
		return Record{}, e.cluster.KeepAuthority(context.WithoutCancel(ctx), *step.target.authority)
	case StepWave:
		return Record{}, nil
	case StepGraph:
		return Record{}, e.cluster.DeleteGraph(ctx, Graph{Namespace: step.Namespace, Name: step.Names[0]}, e.Patience, progress)
	case StepClaims:
		return Record{}, e.cluster.DeleteClaims(ctx, step.Namespace, step.Names)
	case StepCRDs:
		return Record{}, e.crds(ctx, step, progress)
	default:
		return Record{}, fmt.Errorf("unknown kind of step %q", step.Kind)
	}
}

// crds applies the CRDs of a dependency, or deletes CRDs.
func (e *execution) crds(ctx context.Context, step Step, progress func(string)) error {
	switch step.Action {
	case ActionUnchanged:
		return nil
	case ActionDelete:
		return e.cluster.DeleteCRDs(ctx, step.Names, e.Patience, progress)
	default:
		return e.cluster.ApplyCRDs(ctx, step.target.Rendered.Objects, step.fields)
	}
}

// namespace creates or deletes a namespace. The record's status says why one
// was kept.
func (e *execution) namespace(ctx context.Context, step Step) (Record, error) {
	if step.Action == ActionCreate {
		return Record{}, e.cluster.CreateNamespace(ctx, step.Namespace)
	}
	kept, err := e.cluster.DeleteNamespace(ctx, step.Namespace)
	if kept != "" {
		kept = "kept, because " + kept
	}
	return Record{Status: kept}, err
}

func (e *execution) release(ctx context.Context, step Step) (Record, error) {
	switch step.Action {
	case ActionUnchanged, ActionLater:
		return step.last, nil
	case ActionUninstall:
		left, err := e.releases.Uninstall(ctx, step.Key)
		record := step.last
		record.Left = left
		if err == nil {
			record.Status = "uninstalled"
		}
		return record, err
	case ActionRollback:
		record, err := e.releases.Rollback(ctx, step.Key, step.Revision)
		if err != nil {
			return record, err
		}
		return record, e.keepAuthority(ctx, step.Key)
	default:
		return e.releases.Apply(ctx, step.target, step.Action, step.last)
	}
}

// gate waits. The record's status says what is not ready and was not waited for.
func (e *execution) gate(ctx context.Context, step Step, progress func(string)) (Record, error) {
	target := step.target
	if slices.ContainsFunc(target.Rendered.Objects, isCRD) {
		defer e.cluster.Refresh()
	} else if e.NoWait && !step.awaited {
		return Record{}, nil
	}
	var notes []string
	err := e.cluster.AwaitReady(ctx, Gate{
		Release: target.Key, Objects: target.Rendered.Objects, Patience: e.Patience, Marker: markerOf(target),
		Changed: slices.ContainsFunc(step.Needs, e.wroteRelease),
		Note:    func(note string) { notes = append(notes, note) },
	}, progress)
	return Record{Status: strings.Join(notes, "; ")}, err
}

// wroteRelease tells steps that wrote a release.
func (e *execution) wroteRelease(id string) bool {
	n := e.nodes[id]
	return n != nil && n.Step.Kind == StepRelease && n.Step.Action.Changes()
}

func (e *execution) tell(n *node, state State, message string, elapsed time.Duration) {
	if e.Notify == nil {
		return
	}
	e.notify.Lock()
	defer e.notify.Unlock()
	e.Notify(Event{Time: time.Now(), Step: n.Step, State: state, Message: message, Elapsed: elapsed, Record: n.Record})
}

func (e *execution) result(plan *Plan) *Result {
	r := &Result{}
	for _, step := range plan.Steps {
		outcome := e.nodes[step.ID].Outcome
		var left notStarted
		if errors.As(outcome.Err, &left) {
			r.Interrupted, r.Cause = true, left.cause
		}
		r.Outcomes = append(r.Outcomes, outcome)
	}
	return r
}
