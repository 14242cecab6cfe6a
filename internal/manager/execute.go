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
}

// carryOut executes a plan. One that changes something is executed under the
// lock and recorded in the journal; one that does not writes nothing at all,
// unless a client died before it could say that all was done.
func (m *Manager) carryOut(ctx context.Context, o operation) (*rollout.Result, error) {
	ledger := m.ledger()
	if !o.plan.Changes() {
		abandoned, err := ledger.Abandoned(ctx)
		if err != nil {
			return nil, err
		}
		if !abandoned {
			return rollout.Execute(ctx, o.plan, m.store, m.session, o.options), nil
		}
	}
	lock, err := m.lock(ctx, ledger)
	if err != nil {
		return nil, err
	}
	done := true
	defer func() { lock.Release(done) }()
	stale, err := rollout.Stale(ctx, o.plan, m.store, m.session)
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
	go m.watch(ctx, lock, cancel)
	var result *rollout.Result
	result, done, err = m.journaled(ctx, ledger, o)
	return result, err
}

// watch stops the execution at the next safe point when it cannot or must not
// go on, and says that it does.
func (m *Manager) watch(ctx context.Context, lock *rollout.Lock, stop context.CancelCauseFunc) {
	select {
	case <-lock.Lost:
		stop(errors.New("the lock was lost"))
	case <-m.session.Broken():
		stop(m.session.Cause())
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); errors.Is(cause, rollout.ErrStopped) {
		m.say("stopping at the next safe point; once more stops at once")
	} else if !errors.Is(cause, context.Canceled) {
		m.say(fmt.Sprintf("%s; stopping at the next safe point", cause))
	}
}

func (m *Manager) lock(ctx context.Context, ledger rollout.Ledger) (*rollout.Lock, error) {
	told := ""
	lock, err := ledger.Acquire(ctx, func(message string) {
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
// was asked for. It tells whether the journal has the outcome.
func (m *Manager) journaled(ctx context.Context, ledger rollout.Ledger, o operation) (result *rollout.Result, told bool, err error) {
	revision, result, told, err := m.record(ctx, ledger, o.plan, o.description, o.options)
	if err != nil || !o.undo || result.Interrupted || result.Err() == nil {
		return result, told, err
	}
	undo := rollout.Undo(o.plan, result)
	rollout.PreviewUndo(ctx, undo, m.store, m.session, m.store.Fields)
	result.Stays = undo.Lost
	if !undo.Plan.Changes() {
		return result, told, nil
	}
	m.say("taking back what was changed, in reverse")
	_, result.Undone, told, err = m.record(ctx, ledger, undo.Plan, fmt.Sprintf("undo of %d", revision), o.options)
	return result, told, err
}

// record executes a plan between the journal's intent and its outcome.
func (m *Manager) record(ctx context.Context, ledger rollout.Ledger, plan *rollout.Plan, description string, options rollout.Options) (number int, result *rollout.Result, told bool, err error) {
	revision, err := rollout.Begin(ctx, ledger, plan, description, holder())
	if err != nil {
		return 0, nil, false, err
	}
	result = rollout.Execute(ctx, plan, m.store, m.session, options)
	// The outcome is recorded even if the run was interrupted.
	err = rollout.Finish(context.WithoutCancel(ctx), ledger, revision, result)
	told = err == nil
	if cause := m.session.Cause(); cause != nil {
		// Whatever else went wrong, went wrong because of this.
		result.Interrupted, result.Cause = true, cause
		err = nil
	}
	return revision.Number, result, told, err
}
