package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/release"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// operation is one execution of a plan under the fleet's lock.
type operation struct {
	desired     *rollout.Desired
	plan        *rollout.Plan
	session     *cluster.Session
	store       *release.Store
	progress    *report.Progress
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
func (a *app) carryOut(ctx context.Context, r operation) (*rollout.Result, error) {
	ledger := r.session.Ledger(r.desired.Fleet.CRDs.Namespace.Value, r.desired.Set.Name, holder())
	if !r.plan.Changes() {
		abandoned, err := ledger.Abandoned(ctx)
		if err != nil {
			return nil, err
		}
		if !abandoned {
			return rollout.Execute(ctx, r.plan, r.store, r.session, r.options), nil
		}
	}
	lock, err := a.lock(ctx, ledger, r.progress)
	if err != nil {
		return nil, err
	}
	done := true
	defer func() { lock.Release(done) }()
	stale, err := rollout.Stale(ctx, r.plan, r.store, r.session)
	if err != nil {
		return nil, err
	}
	if stale {
		r.progress.Say("the cluster has changed meanwhile; planning again")
		if r.plan, err = r.replan(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.watch(ctx, lock, cancel)
	var result *rollout.Result
	result, done, err = r.journaled(ctx, ledger)
	return result, err
}

// watch stops the execution at the next safe point when it cannot or must not
// go on, and says that it does.
func (r operation) watch(ctx context.Context, lock *rollout.Lock, stop context.CancelCauseFunc) {
	select {
	case <-lock.Lost:
		stop(errors.New("the lock was lost"))
	case <-r.session.Broken():
		stop(r.session.Cause())
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); errors.Is(cause, rollout.ErrStopped) {
		r.progress.Say("stopping at the next safe point; once more stops at once")
	} else if !errors.Is(cause, context.Canceled) {
		r.progress.Say("%s; stopping at the next safe point", cause)
	}
}

func (a *app) lock(ctx context.Context, ledger *cluster.Ledger, progress *report.Progress) (*rollout.Lock, error) {
	told := ""
	lock, err := ledger.Acquire(ctx, func(message string) {
		if message != told {
			progress.Say("%s", message)
			told = message
		}
	})
	if err == nil && lock.DeadHolder != "" {
		progress.Say("the last run, by %s, ended without a word; finishing what it left", lock.DeadHolder)
	}
	return lock, err
}

// journaled executes the plan, and takes back what it did if it fails and that
// was asked for. It tells whether the journal has the outcome.
func (r operation) journaled(ctx context.Context, ledger rollout.Ledger) (result *rollout.Result, told bool, err error) {
	revision, result, told, err := r.record(ctx, ledger, r.plan, r.description)
	if err != nil || !r.undo || result.Interrupted || result.Err() == nil {
		return result, told, err
	}
	undo := rollout.Undo(r.plan, result)
	rollout.PreviewUndo(ctx, undo, r.store, r.session, r.store.Fields)
	result.Stays = undo.Lost
	if !undo.Plan.Changes() {
		return result, told, nil
	}
	r.progress.Say("taking back what was changed, in reverse")
	_, result.Undone, told, err = r.record(ctx, ledger, undo.Plan, fmt.Sprintf("undo of %d", revision))
	return result, told, err
}

// record executes a plan between the journal's intent and its outcome.
func (r operation) record(ctx context.Context, ledger rollout.Ledger, plan *rollout.Plan, description string) (number int, result *rollout.Result, told bool, err error) {
	revision, err := rollout.Begin(ctx, ledger, plan, description, holder())
	if err != nil {
		return 0, nil, false, err
	}
	result = rollout.Execute(ctx, plan, r.store, r.session, r.options)
	// The outcome is recorded even if the run was interrupted.
	err = rollout.Finish(context.WithoutCancel(ctx), ledger, revision, result)
	told = err == nil
	if cause := r.session.Cause(); cause != nil {
		// Whatever else went wrong, went wrong because of this.
		result.Interrupted, result.Cause = true, cause
		err = nil
	}
	return revision.Number, result, told, err
}

// holder names this client to others: who, where, which process.
func holder() string {
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s@%s (process %d)", who, host, os.Getpid())
}
