package main

import (
	"context"
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
// lock and recorded in the journal; one that does not writes nothing at all.
func (a *app) carryOut(ctx context.Context, r operation) (*rollout.Result, error) {
	if !r.plan.Changes() {
		return rollout.Execute(ctx, r.plan, r.store, r.session, r.options), nil
	}
	ledger := r.session.Ledger(r.desired.Fleet.CRDs.Namespace.Value, r.desired.Set.Name, holder())
	lock, err := a.lock(ctx, ledger, r.progress)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	stale, err := rollout.Stale(ctx, r.plan, r.store)
	if err != nil {
		return nil, err
	}
	if stale {
		r.progress.Say("the fleet has changed meanwhile; planning again")
		if r.plan, err = r.replan(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-lock.Lost:
			r.progress.Say("the lock was lost; stopping at the next safe point")
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.journaled(ctx, ledger)
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

// journaled executes between the journal's intent and its outcome.
func (r operation) journaled(ctx context.Context, ledger rollout.Ledger) (*rollout.Result, error) {
	revision, err := rollout.Begin(ctx, ledger, r.plan, r.description, holder())
	if err != nil {
		return nil, err
	}
	result := rollout.Execute(ctx, r.plan, r.store, r.session, r.options)
	// The outcome is recorded even if the run was interrupted.
	final := context.WithoutCancel(ctx)
	if err := rollout.Finish(final, ledger, revision, result); err != nil {
		return result, err
	}
	if r.undo && result.Err() != nil && !result.Interrupted {
		r.progress.Say("undoing what was changed")
		undone := rollout.Execute(ctx, rollout.Undo(result), r.store, r.session, r.options)
		return result, undone.Err()
	}
	return result, nil
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
