package rollout

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Ledger keeps, in the cluster, who works on a fleet and what was done to it.
type Ledger interface {
	// Acquire takes the fleet's lock. It waits while a living client holds it
	// and takes it over from a dead one.
	Acquire(ctx context.Context, report func(string)) (*Lock, error)
	// Unsettled reports whether somebody holds the lock, living or dead, or could
	// not write into the journal how its run ended.
	Unsettled(ctx context.Context) (bool, error)
	// Revisions lists the fleet's revisions, oldest first.
	Revisions(ctx context.Context) ([]Revision, error)
	// Save creates or replaces the record of a revision.
	Save(ctx context.Context, r Revision) error
}

// Lock is a lock that is held.
type Lock struct {
	// Waited says that somebody else held it first, so what was read before
	// may be stale.
	Waited bool
	// DeadHolder is who held it last and died; empty if it was free.
	DeadHolder string
	// Release gives it back.
	Release func(Ending)
}

// Ending is how a run leaves the fleet's lock.
type Ending int

const (
	// EndedUntold says that the journal does not tell how it ended, or something is owed.
	EndedUntold Ending = iota
	// EndedTold says that the journal tells how it ended.
	EndedTold
	// EndedForGood says that nothing of the fleet is left to lock.
	EndedForGood
)

// Begin writes the intent of an execution before its first change.
func Begin(ctx context.Context, ledger Ledger, plan *Plan, intent Intent) (Revision, error) {
	before, err := ledger.Revisions(ctx)
	if err != nil {
		return Revision{}, err
	}
	for _, old := range before {
		// We hold the lock, so whoever was running this no longer is.
		if old.Status == RevisionRunning {
			old.Status = RevisionInterrupted
			if err := ledger.Save(ctx, old); err != nil {
				return Revision{}, err
			}
		}
	}
	r := Revision{
		Fleet: plan.Fleet, Description: intent.Description, To: plan.To, By: intent.By, Started: time.Now().UTC(), Status: RevisionRunning,
		Promise: intent.Keeps, undoes: intent.Keeps != nil,
	}
	var last Revision
	for _, old := range before {
		r.Number = old.Number
		if old.Damage == "" {
			last = old
		}
	}
	r.Number++
	r.CRDs, r.Moves = crdCharts(last.CRDs, plan.Steps), plan.Moves()
	for _, step := range plan.Steps {
		if step.Kind == StepRelease {
			r.Releases = append(r.Releases, releaseAt(step, step.last))
			r.Meant = append(r.Meant, step.meant()...)
		}
	}
	switch {
	case intent.GoesOn && last.Promise != nil && !last.Imported:
		r.Promise = last.Promise.and(r.Releases)
	case intent.Promises:
		r.Promise = &Promise{Before: r.Releases}
	}
	r.Orphans = last.without(r.Releases)
	return r, ledger.Save(ctx, r)
}

// Acquit records that nothing is owed any more.
func Acquit(ctx context.Context, ledger Ledger, r Revision) error {
	r.Promise = nil
	return ledger.Save(ctx, r)
}

// longestCause bounds what a revision keeps of a failure, in bytes.
const longestCause = 2000

// Finish writes how an execution ended. A promise is owed until what was promised
// has been tried, or is not needed.
func Finish(ctx context.Context, ledger Ledger, r Revision, result *Result) (Revision, error) {
	r.Finished, r.Status = time.Now().UTC(), RevisionDone
	if err := result.Err(); err != nil {
		r.Status, r.Cause = RevisionFailed, err.Error()
		if len(r.Cause) > longestCause {
			r.Cause = strings.ToValidUTF8(r.Cause[:longestCause], "") + "…"
		}
	}
	if result.Interrupted {
		r.Status = RevisionInterrupted
	}
	if r.Status == RevisionDone || r.undoes && r.Status == RevisionFailed {
		r.Promise = nil
	}
	r.Releases = nil
	for _, o := range result.Outcomes {
		if o.Step.Kind != StepRelease {
			continue
		}
		record := o.Record
		if o.State == StateSkipped {
			record = o.Step.last
		}
		at := releaseAt(o.Step, record)
		if outline := o.Step.target.outline; o.State == StateDone && at.Digest == o.Step.target.Digest {
			at.Outline = outline.Digest
			r.Resources = append(r.Resources, outline.Resources...)
		}
		r.Releases = append(r.Releases, at)
	}
	slices.Sort(r.Resources)
	r.Resources = slices.Compact(r.Resources)
	return r, ledger.Save(ctx, r)
}
