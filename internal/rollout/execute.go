package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
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
	// Note is what there is to say of a step that is done.
	Note string `json:"note,omitempty"`
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

func (stopped) Error() string { return "stopped on request" }

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

// ReleaseWriter changes releases.
type ReleaseWriter interface {
	Records
	// Apply installs or upgrades a release and returns its new record. It
	// does not wait for readiness, and once begun is not cancelled by ctx.
	Apply(ctx context.Context, target Target, last Record) (Record, error)
	// Rollback returns a release to one of its revisions, as a new revision.
	Rollback(ctx context.Context, key fleet.Key, revision int) (Record, error)
	// Uninstall removes a release and everything in it that does not carry a
	// keep policy. A release that does not exist is no error. It returns what
	// was left for another reason, and the reason.
	Uninstall(ctx context.Context, key fleet.Key) (left []string, err error)
}

// Executor does to the cluster what no release does, and waits.
type Executor interface {
	// CreateNamespace makes a namespace that carries our label.
	CreateNamespace(ctx context.Context, name string) error
	// DeleteNamespace removes one that is ours and empty, or says why not, and waits
	// until it is gone.
	DeleteNamespace(ctx context.Context, name string, patience time.Duration, report func(string)) (kept string, err error)
	// ApplyCRDs writes CRDs that belong to no release. Fields says what becomes
	// of those that others own; any other conflict is an error.
	ApplyCRDs(ctx context.Context, crds []chart.Object, fields Fields) error
	// DeleteCRDs removes CRDs, and with them their objects, and waits until they
	// are gone.
	DeleteCRDs(ctx context.Context, crds []string, patience time.Duration, report func(string)) error
	// MoveStorage has all objects of a definition written once more and tells the API
	// server that none is stored in the versions that end. It may be begun anew
	// wherever it ended. The note says how it was done.
	MoveStorage(ctx context.Context, move Relocation, report func(string)) (note string, err error)
	// DeleteGraph deletes a graph and waits until it is gone.
	DeleteGraph(ctx context.Context, g Graph, patience time.Duration, report func(string)) error
	// DeleteClaims removes volume claims, and with them their data.
	DeleteClaims(ctx context.Context, namespace string, names []string) error
	// KeepAuthority does what is due, and loses no request: what is new is trusted
	// before it is served.
	KeepAuthority(ctx context.Context, authority Authority) error
	// AwaitReady blocks until a gate is open. report receives each new
	// message about what is waited for.
	AwaitReady(ctx context.Context, gate Gate, report func(string)) error
	// ConvertedBy lists the CRDs that serve several versions and have their objects
	// converted by what a release runs.
	ConvertedBy(ctx context.Context, release fleet.Key) ([]string, error)
	// Refresh forgets what the cluster serves, after CRDs changed.
	Refresh()
}

// Execute walks the plan. A step starts the moment its own needs are met; a
// failed branch never holds an unrelated one. When ctx ends, no further step
// starts and waiting ends, but a Helm operation that has begun is finished:
// half of one is what must never be left behind.
func Execute(ctx context.Context, plan *Plan, releases ReleaseWriter, cluster Executor, options Options) *Result {
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
		e.nodes[step.ID] = &node{Outcome: Outcome{Step: step}, ended: make(chan struct{})}
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
	releases ReleaseWriter
	cluster  Executor
	slots    chan struct{}
	nodes    map[string]*node
	notify   sync.Mutex
}

// node is a step with its outcome, which is written before ended closes.
type node struct {
	Outcome
	ended chan struct{}
}

func (e *execution) run(ctx context.Context, n *node) {
	defer close(n.ended)
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
	made, err := e.perform(ctx, n, started)
	n.Record, n.Note, n.Err = made.record, made.note, err
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
		<-need.ended
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

func (e *execution) perform(ctx context.Context, n *node, started time.Time) (done, error) {
	does, known := kinds[n.Step.Kind]
	if !known {
		return done{}, fmt.Errorf("unknown kind of step %q", n.Step.Kind)
	}
	if n.Step.Left != "" {
		return done{record: n.Step.last}, errors.New(n.Step.Left)
	}
	return does.do(ctx, n.Step, e, func(message string) { e.tell(n, StateProgress, message, time.Since(started)) })
}

func (e *execution) tell(n *node, state State, message string, elapsed time.Duration) {
	if e.Notify == nil {
		return
	}
	e.notify.Lock()
	defer e.notify.Unlock()
	e.Notify(Event{Time: time.Now(), Step: n.Step, State: state, Message: message, Elapsed: elapsed, Record: n.Record, Note: n.Note})
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
