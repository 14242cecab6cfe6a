package rollout

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// ChangeAction says what happens to one object.
type ChangeAction string

// What can happen to an object. The last two stop a rollout.
const (
	ChangeCreate ChangeAction = "create"
	ChangeUpdate ChangeAction = "update"
	ChangeDelete ChangeAction = "delete"
	// ChangeReplace deletes an object that cannot change in place, and makes it anew.
	ChangeReplace ChangeAction = "replace"
	// ChangeLeft is an object that would be deleted if it were the release's.
	ChangeLeft ChangeAction = "leave"
	// ChangeForget is an object of a kind that the cluster does not serve any more:
	// the record loses it.
	ChangeForget   ChangeAction = "forget"
	ChangeConflict ChangeAction = "conflict"
	ChangeRefused  ChangeAction = "refused"
)

// Change is what a step does to one object, as the server answered a dry run.
type Change struct {
	Action    ChangeAction `json:"action"`
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name"`
	// Reason says why a change cannot be made: the owner, the conflict.
	Reason string `json:"reason,omitempty"`
	// Conflicts lists the fields of a conflict and who owns them.
	Conflicts []FieldConflict `json:"conflicts,omitempty"`
	// Warnings are what the API server says although it accepts the change, and
	// what would keep the pods of a workload from being made.
	Warnings []string `json:"warnings,omitempty"`
	// Admission lists the fields that policies and webhooks of the cluster would
	// change if the object were written, and then nothing else changes.
	Admission []string `json:"admission,omitempty"`
	// Pods counts the pods that the change replaces.
	Pods int `json:"pods,omitempty"`
	// Replacement is what cannot change in place; nil if all can.
	Replacement *Replacement `json:"replacement,omitempty"`
	// Stored says that a definition is refused only because objects may be stored in a
	// version that ends.
	Stored bool `json:"-"`
	// Digest identifies the object as it is, this very one, and as it would be.
	Digest string `json:"digest,omitempty"`
	// Before and After are YAML without bookkeeping and with secrets masked.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Ref names a field of the object, as flags and the fleet file do.
func (c Change) Ref(field string) string {
	return fleet.FieldRef{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name, Path: field}.String()
}

func (c Change) String() string {
	if c.Namespace == "" {
		return c.Kind + "/" + c.Name
	}
	return c.Kind + "/" + c.Namespace + "/" + c.Name
}

// Comparison is a question to the server: what would these writes change?
type Comparison struct {
	Release fleet.Key
	// Unreleased objects belong to no release and are applied as they are.
	Unreleased bool
	// Wanted objects would be applied, Gone ones deleted, within Reach.
	Wanted, Gone []chart.Object
	Reach        Reach
	// AbsentNamespaces do not exist yet, so nothing in them does.
	AbsentNamespaces map[string]bool
	// Absent are objects that were not there a moment ago, as Change.String
	// writes them, and so need not be read.
	Absent map[string]bool
	// Migrate counts fields that other clients of the release wrote as ours.
	Migrate bool
	// Fields says what to do about fields that others own.
	Fields Fields
	// Replace says that objects which cannot change in place may be replaced.
	Replace bool
	// Text asks for Before and After.
	Text bool
}

// PreviewOptions of a preview.
type PreviewOptions struct {
	PlanOptions
	// Undo says that what is done is taken back if a step fails.
	Undo bool
	// Text fills in what objects look like before and after.
	Text bool
}

// Records reads what Helm recorded.
type Records interface {
	// Stored reads what Helm recorded of one revision of a release, of the
	// newest for 0; nil if there is none. One that was altered since we wrote
	// it is an *AlteredError.
	Stored(ctx context.Context, key fleet.Key, revision int) (*Stored, error)
}

// Forecaster reads what Helm recorded, and tells what it would record.
type Forecaster interface {
	Records
	// Forecast tells how big the record of a release will be.
	Forecast(target Target) (RecordSize, error)
}

// Comparer asks the server what some writes would change, by dry run.
type Comparer interface {
	Definitions
	Compare(ctx context.Context, c Comparison) ([]Change, error)
}

// Previewer tells what a plan would change.
type Previewer interface {
	Comparer
	Graphs
	// Capabilities is what templates may ask about the cluster.
	Capabilities(ctx context.Context) (*chart.Capabilities, error)
}

// Graphs tells which graphs there are.
type Graphs interface {
	// Graphs lists the graphs of some namespaces, of all if none is named.
	Graphs(ctx context.Context, namespaces []string) ([]Graph, error)
}

// previewing is one preview.
type previewing struct {
	releases Forecaster
	cluster  Previewer
	// absent are the namespaces that the plan makes, missing the objects that do
	// not exist.
	absent, missing map[string]bool
	// blocked are the steps, and the CRDs, that are somebody else's.
	blocked map[string]bool
	options PreviewOptions
}

// inMemory is how many releases are read or rendered at a time: requests are
// bounded where they leave.
const inMemory = 8

// Preview fills in what each step of the plan changes, by server-side dry run.
// A release with drift becomes a repair. A release that wants what belongs to
// others is left out. Nothing is written.
func Preview(ctx context.Context, plan *Plan, releases Forecaster, cluster Previewer, options PreviewOptions) error {
	plan.AcceptBreakage, plan.options = options.AcceptBreakage, options.PlanOptions
	p := &previewing{releases: releases, cluster: cluster, absent: map[string]bool{}, missing: missing(plan.Ownership), blocked: map[string]bool{}, options: options}
	for _, step := range plan.Steps {
		if step.Kind == StepNamespace && step.Action == ActionCreate {
			p.absent[step.Namespace] = true
		}
	}
	for _, row := range plan.Foreign() {
		p.blocked[releaseID(row.Release)] = true
		p.blocked[row.Name] = row.Kind == kindCRD
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i := range plan.Steps {
		step := &plan.Steps[i]
		if p.blocked[step.ID] || step.Left != "" || step.Action == ActionLater || !step.Action.Changes() && !options.Drift {
			continue
		}
		group.Go(func() error { return kinds[step.Kind].preview(gctx, step, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	plan.addMoves(options.Fields)
	if options.KeepGoing {
		plan.leaveRefused()
	}
	plan.judgeUpgrades()
	if !options.Prune {
		return nil
	}
	return plan.Prune(ctx, releases, cluster)
}

// missing lists the objects that do not exist. Where two kinds of one name have an
// object of one name, both must be missing.
func missing(rows []Ownership) map[string]bool {
	out := map[string]bool{}
	for _, row := range rows {
		if row.Standing == Absent && row.Reason == "" {
			out[row.Object()] = true
		}
	}
	for _, row := range rows {
		if row.Standing != Absent || row.Reason != "" {
			delete(out, row.Object())
		}
	}
	return out
}
