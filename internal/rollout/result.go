package rollout

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Outcome is how a step ended.
type Outcome struct {
	Step   Step
	State  State
	Err    error
	Record Record
	// Note is what there is to say of a step that succeeded.
	Note string
	// Started is when the step began, after what it needs and its turn.
	Started time.Time
	Took    time.Duration
}

// Result lists the outcome of every step, in plan order.
type Result struct {
	Outcomes []Outcome
	// Interrupted says that scheduling stopped before all steps had begun.
	Interrupted bool
	// Cause says why; nil if not interrupted.
	Cause error
	// Undone is how taking it back ended; nil if that was not tried.
	Undone *Result
	// Stays says what was changed and could not be taken back.
	Stays []string
}

// Err joins the failures; nil if all steps succeeded.
func (r *Result) Err() error {
	var errs []error
	for _, o := range r.Outcomes {
		if o.State == StateFailed {
			errs = append(errs, fmt.Errorf("%s: %w", o.Step.ID, o.Err))
		}
	}
	if r.Interrupted {
		errs = append(errs, fmt.Errorf("not all was done: %w; run the same command again to finish", r.Cause))
	}
	return errors.Join(errs...)
}

// Took is the time from the first start to the last end.
func (r *Result) Took() time.Duration {
	var first, last time.Time
	for _, o := range r.Outcomes {
		if o.Started.IsZero() {
			continue
		}
		if first.IsZero() || o.Started.Before(first) {
			first = o.Started
		}
		if o.ended().After(last) {
			last = o.ended()
		}
	}
	return last.Sub(first)
}

func (o Outcome) ended() time.Time { return o.Started.Add(o.Took) }

// CriticalPath is the chain of steps that took the time: the one that ended
// last, what it had to wait for the longest, and so on, in order.
func (r *Result) CriticalPath() []Outcome {
	byID := map[string]Outcome{}
	var latest Outcome
	for _, o := range r.Outcomes {
		byID[o.Step.ID] = o
		if o.ended().After(latest.ended()) {
			latest = o
		}
	}
	var path []Outcome
	for at := latest; !at.Started.IsZero(); {
		path = append(path, at)
		var before Outcome
		for _, need := range at.Step.Needs {
			if o := byID[need]; o.ended().After(before.ended()) {
				before = o
			}
		}
		at = before
	}
	slices.Reverse(path)
	return path
}
