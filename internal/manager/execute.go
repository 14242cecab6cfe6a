package manager

import (
	"context"
	"errors"
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// operation is one execution of a plan under the fleet's lock.
type operation struct {
	plan        *rollout.Plan
	description string
	// replan is asked for a new plan if the cluster changed before the lock
	// was held.
	replan  func(context.Context) (*rollout.Plan, error)
	options rollout.Options
	undo    bool
	// purges says that nothing of the fleet stays.
	purges bool
	// goesOn says that a run that died is brought to its end.
	goesOn bool
}

// carryOut executes a plan. One that changes something is executed under the
// lock and recorded in the journal; one that does not writes nothing at all,
// unless somebody is at work, or died before it could say that all was done.
func (m *Manager) carryOut(ctx context.Context, o operation) (*rollout.Result, error) {
	if !o.plan.Changes() {
		unsettled, err := m.ledger.Unsettled(ctx)
		if err != nil {
			return nil, err
		}
		if !unsettled {
			return rollout.Execute(ctx, o.plan, m.store, m.cluster, o.options), nil
		}
	}
	lock, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	ending := rollout.EndedTold
	defer func() { lock.Release(ending) }()
	stale, err := rollout.Stale(ctx, o.plan, m.store, m.cluster)
	if err != nil {
		return nil, err
	}
	if stale {
		m.say("the cluster has changed meanwhile; planning again")
		if o.plan, err = o.replan(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go m.watch(ctx, cancel)
	result, told, err := m.journaled(ctx, o)
	switch {
	case !told:
		ending = rollout.EndedUntold
	case o.purges && result.Err() == nil:
		ending = rollout.EndedForGood
	}
	return result, err
}

// watch stops the execution at the next safe point when it cannot or must not
// go on, and says that it does.
func (m *Manager) watch(ctx context.Context, stop context.CancelCauseFunc) {
	select {
	case <-m.cluster.Broken():
		stop(m.cluster.Cause())
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); errors.Is(cause, rollout.ErrStopped) {
		m.say("stopping at the next safe point; once more stops at once")
	} else if !errors.Is(cause, context.Canceled) {
		m.say(fmt.Sprintf("%s; stopping at the next safe point", cause))
	}
}

func (m *Manager) lock(ctx context.Context) (*rollout.Lock, error) {
	told := ""
	lock, err := m.ledger.Acquire(ctx, func(message string) {
		if message != told {
			m.say(message)
			told = message
		}
	})
	if err == nil && lock.DeadHolder != "" {
		m.say(fmt.Sprintf("the last run, by %s, ended without a word; finishing what it left", lock.DeadHolder))
	}
	return lock, err
}

// journaled executes the plan, and takes back what it did if it fails and that
// was asked for: of this run, or of one that died before it could keep its
// promise. It tells whether the journal has the outcome.
func (m *Manager) journaled(ctx context.Context, o operation) (result *rollout.Result, told bool, err error) {
	intent := rollout.Intent{Description: o.description, By: holder(), Promises: o.undo, GoesOn: o.goesOn}
	revision, result, told, err := m.record(ctx, o.plan, intent, o.options)
	if err != nil || revision.Promise == nil || result.Interrupted {
		return result, told, err
	}
	undo := rollout.Undo(o.plan, result, revision.Promise)
	rollout.PreviewUndo(ctx, undo, m.store, m.cluster, m.store.Fields)
	result.Stays = undo.Lost
	if !undo.Plan.Changes() {
		return result, told, rollout.Acquit(ctx, m.ledger, revision)
	}
	if o.undo {
		m.say("taking back what was changed, in reverse")
	} else {
		m.say("the last run ended before it could take back what it changed, as it was to if a step fails; taking it back, in reverse")
	}
	intent = rollout.Intent{Description: fmt.Sprintf("undo of %d", revision.Number), By: holder(), Keeps: revision.Promise}
	_, result.Undone, told, err = m.record(ctx, undo.Plan, intent, o.options)
	return result, told, err
}

// record executes a plan between the journal's intent and its outcome. What is
// owed by a run that was interrupted counts as an outcome that is missing.
func (m *Manager) record(ctx context.Context, plan *rollout.Plan, intent rollout.Intent, options rollout.Options) (revision rollout.Revision, result *rollout.Result, told bool, err error) {
	revision, err = rollout.Begin(ctx, m.ledger, plan, intent)
	if err != nil {
		return revision, nil, false, err
	}
	revision.Unwaited = options.NoWait
	result = rollout.Execute(ctx, plan, m.store, m.cluster, options)
	// The outcome is recorded even if the run was interrupted.
	revision, err = rollout.Finish(context.WithoutCancel(ctx), m.ledger, revision, result)
	told = err == nil && (!result.Interrupted || revision.Promise == nil)
	if cause := m.cluster.Cause(); cause != nil {
		// Whatever else went wrong, went wrong because of this.
		result.Interrupted, result.Cause = true, cause
		err = nil
	}
	return revision, result, told, err
}
