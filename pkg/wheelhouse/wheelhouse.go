// Package wheelhouse rolls out fleets of inference platforms from a program, as the
// command of that name does: with the same files, rules, lock and journal, so that either
// goes on where the other stopped.
//
// [Load] reads a fleet file, [Fleet.Validate] checks it without a cluster,
// [Fleet.Connect] connects to its cluster, [Cluster.Plan] says what would be done, and
// [Cluster.Apply] does it. Third-party charts that a fleet turns on must be at hand:
// `wheelhouse deps pull` fetches them.
//
// This package keeps to semantic versioning; everything below internal/ may change.
package wheelhouse

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/sops"
)

// Options say what a fleet file is read for. The zero value is what the command does
// without flags.
type Options struct {
	// Kubeconfig is the path of a kubeconfig; empty: KUBECONFIG, ~/.kube/config, or the
	// service account of the pod.
	Kubeconfig string
	// Context is the context in it; empty: the one that the fleet file names, or the
	// current one. A fleet file that names several clusters needs it.
	Context string
	// Set are values above all files, as CHART.PATH=VALUE.
	Set []string
}

// Fleet is a fleet file that has been read, for one cluster.
type Fleet struct {
	desired *rollout.Desired
	// refusal is what the rules found wrong; nil if nothing.
	refusal error
	options Options
}

// Release is a Helm release that the fleet wants.
type Release struct {
	Namespace, Name string
	// Chart is the key of its chart: conversion, crds, platform or chrek.
	Chart string
	// Serves is the namespace whose graphs a restricted platform serves.
	Serves string
}

// Load reads a fleet file and everything that it names. What it cannot read is an error
// with file:line:column; what rules find wrong is left to Validate.
func Load(file string, options Options) (*Fleet, error) {
	shelf, err := chart.ShelfBeside(file)
	if err != nil {
		return nil, err
	}
	desired, err := rollout.Read(rollout.Source{
		File: file, Context: options.Context, Files: fleet.Disk{}, Set: fleet.Flags{Set: options.Set},
		Charts: charts.FS(), Profiles: charts.Profiles(), Named: shelf, Dependencies: shelf, Lock: shelf.Lock, Opener: sops.NewOpener(),
	})
	if _, refused := check.Refused(err); err != nil && (!refused || desired == nil) {
		return nil, err
	}
	return &Fleet{desired: desired, refusal: err, options: options}, nil
}

// Name is the fleet's.
func (f *Fleet) Name() string { return f.desired.Set.Name }

// Releases lists what the fleet wants, in the order of the file, definitions first.
func (f *Fleet) Releases() []Release {
	out := make([]Release, 0, len(f.desired.Set.Releases))
	for _, r := range f.desired.Set.Releases {
		out = append(out, Release{Namespace: r.Namespace, Name: r.Name, Chart: r.Chart, Serves: r.Serves})
	}
	return out
}

// Finding is what a rule has to say.
type Finding struct {
	// Rule is its ID, such as C-19; `wheelhouse rules C-19` explains it.
	Rule string
	// Severity is error, which stops a rollout, warning or note.
	Severity string
	// Place is file:line:column; empty if it is no place in a file.
	Place   string
	Message string
	// Fix says what to do; may be empty.
	Fix string
}

// Validate renders everything and runs the rules that need no cluster. Findings of
// severity error are no error of Validate: that is what could not be told.
func (f *Fleet) Validate(ctx context.Context) ([]Finding, error) {
	if f.refusal != nil {
		return found(f.refusal)
	}
	_, err := f.desired.Targets(ctx, chart.OfflineCapabilities())
	if err != nil {
		return found(err)
	}
	return findings(append(f.desired.Warnings[:len(f.desired.Warnings):len(f.desired.Warnings)], f.desired.ObjectWarnings...)), nil
}

// found are the findings of a refusal; every other error stays one.
func found(err error) ([]Finding, error) {
	refused, ok := check.Refused(err)
	if !ok {
		return nil, err
	}
	return findings(refused), nil
}

func findings(all check.Findings) []Finding {
	out := make([]Finding, 0, len(all))
	for _, f := range all {
		out = append(out, Finding{Rule: f.Rule, Severity: string(f.Severity), Place: f.Origin.String(), Message: f.Message, Fix: f.Fix})
	}
	return out
}

// Cluster is a fleet's cluster. It is not safe for concurrent use.
type Cluster struct {
	// Say is told what goes on beside the steps of a plan; may be nil.
	Say func(message string)

	manager *manager.Manager
}

// Connect connects to the fleet's cluster. The fleet must be one that Validate finds no
// error in. Close ends the connection.
func (f *Fleet) Connect(ctx context.Context) (*Cluster, error) {
	if f.refusal != nil {
		return nil, f.refusal
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.Namespace = nil
	*flags.KubeConfig, *flags.Context = f.options.Kubeconfig, f.options.Context
	if context := f.desired.Fleet.Cluster.Context.Value; context != "" {
		*flags.Context = context
	}
	m, err := manager.Open(ctx, flags, f.desired.Identity, f.desired, slog.DiscardHandler)
	if err != nil {
		return nil, err
	}
	c := &Cluster{manager: m}
	m.Say = func(message string) {
		if c.Say != nil {
			c.Say(message)
		}
	}
	return c, nil
}

// Close ends the connection.
func (c *Cluster) Close() { c.manager.Close() }

// Address is that of the API server.
func (c *Cluster) Address() string { return c.manager.Cluster() }

// PlanOptions say what to plan. The zero value plans what `wheelhouse apply` does.
type PlanOptions struct {
	// Namespaces leaves all others for another run; nil: none.
	Namespaces []string
	// Wave leaves the waves after it for another run; empty: none.
	Wave string
	// Drift also repairs what others changed.
	Drift bool
	// Prune also removes releases of the fleet that the file no longer names.
	Prune bool
	// TakeBack takes back what is done, in reverse, if a step fails.
	TakeBack bool
	// NoWait does not wait until operators are ready.
	NoWait bool
}

// Plan is what would be done.
type Plan struct {
	// Steps are what is to be done and waited for.
	Steps []Step

	plan    *rollout.Plan
	options rollout.PreviewOptions
}

// Step is one thing to do.
type Step struct {
	// ID is unique in the plan and readable: "release team-a/dynamo-platform".
	ID string
	// Action is create, install, upgrade, adopt, repair, unchanged, wait, uninstall,
	// delete, rollback, rewrite or later.
	Action string
	// Reason says why; may be empty.
	Reason string
	// Changes are those of objects, as far as they are known before.
	Changes []Change
}

// Change is what a step does to an object.
type Change struct {
	// Action is create, update, delete, replace, leave, forget, conflict or refused.
	Action                string
	Kind, Namespace, Name string
}

func (c Change) String() string {
	return c.Action + " " + path.Join(c.Kind, c.Namespace, c.Name)
}

// Plan says what would be done, by a dry run on the server. Nothing is written.
func (c *Cluster) Plan(ctx context.Context, options PlanOptions) (*Plan, error) {
	p := &Plan{options: rollout.PreviewOptions{
		PlanOptions: rollout.PlanOptions{
			Namespaces: options.Namespaces, Wave: options.Wave, Drift: options.Drift, Prune: options.Prune, NoWait: options.NoWait,
			Fields: rollout.Fields{Leave: c.manager.Fleet.LeaveFields},
		},
		Undo: options.TakeBack,
	}}
	var err error
	if p.plan, err = c.manager.Plan(ctx, p.options); err != nil {
		return nil, err
	}
	for _, step := range p.plan.Steps {
		p.Steps = append(p.Steps, stepOf(step))
	}
	return p, nil
}

func stepOf(s rollout.Step) Step {
	out := Step{ID: s.ID, Action: string(s.Action), Reason: s.Reason}
	for _, change := range s.Changes {
		out.Changes = append(out.Changes, Change{Action: string(change.Action), Kind: change.Kind, Namespace: change.Namespace, Name: change.Name})
	}
	return out
}

// Changes reports whether carrying the plan out would write anything.
func (p *Plan) Changes() bool { return p.plan.Changes() }

// Blocked says why the plan cannot be carried out; nil if it can.
func (p *Plan) Blocked() error { return p.plan.Blocked() }

// Questions are what is only done with consent, such as "3 objects are deleted".
func (p *Plan) Questions(given Consent) []string {
	var out []string
	for _, q := range p.plan.Questions(rollout.Consent(given)) {
		out = append(out, q.About)
	}
	return out
}

// Consent agrees to what is not done unasked.
type Consent struct {
	// Yes agrees to deleted objects and to values that lose their effect.
	Yes bool
	// Adopt agrees to taking over what exists without this fleet.
	Adopt bool
	// Recreate agrees to replacing objects, as KIND/NAME, that cannot change in place.
	Recreate []string
	// Moves agrees to writing all objects of these CRDs once more, so that a version may end.
	Moves []string
}

// ConsentError says that a plan was not carried out for want of consent.
type ConsentError struct {
	// Questions are what would be done.
	Questions []string
}

func (e *ConsentError) Error() string {
	return "nothing was done: " + strings.Join(e.Questions, "; ") + ", which needs consent"
}

// ApplyOptions say how to carry a plan out.
type ApplyOptions struct {
	Consent Consent
	// Parallel is how many releases are written at the same time; default 32.
	Parallel int
	// Timeout is how long something may stand still before it fails; default 5 minutes.
	Timeout time.Duration
	// Notify is told what happens, one event after the other; may be nil.
	Notify func(Event)
}

// Event is a change of a step's state.
type Event struct {
	Time time.Time
	// Step is the step's ID.
	Step string
	// State is started, progress, done, failed or skipped.
	State string
	// Message says more; may be empty.
	Message string
}

// Result is how each step ended, in the order of the plan.
type Result struct {
	Outcomes []Outcome
	// TakenBack says that what was done has been taken back.
	TakenBack bool
}

// Outcome is how a step ended.
type Outcome struct {
	Step  string
	State string
	// Err is why it failed.
	Err  error
	Took time.Duration
}

// Apply carries a plan out under the fleet's lock, and records it in its journal. If the
// cluster has changed since it was planned, it is planned anew with the same options. A
// plan that needs consent which was not given is a *ConsentError, and nothing is done. A
// result comes with the error of a rollout that began.
func (c *Cluster) Apply(ctx context.Context, p *Plan, options ApplyOptions) (*Result, error) {
	agree := func(plan *rollout.Plan) error { return agreed(plan, options.Consent) }
	if err := agree(p.plan); err != nil {
		return nil, err
	}
	execution := rollout.Options{Parallel: options.Parallel, Patience: options.Timeout, Notify: func(e rollout.Event) {
		if options.Notify != nil {
			options.Notify(Event{Time: e.Time, Step: e.Step.ID, State: string(e.State), Message: e.Message})
		}
	}}
	result, err := c.manager.Apply(ctx, p.plan, p.options, agree, execution)
	if result == nil {
		return nil, err
	}
	return resultOf(result), errors.Join(err, result.Err())
}

func agreed(plan *rollout.Plan, given Consent) error {
	if err := plan.Blocked(); err != nil {
		return err
	}
	if asked := (&Plan{plan: plan}).Questions(given); len(asked) > 0 {
		return &ConsentError{Questions: asked}
	}
	return nil
}

func resultOf(r *rollout.Result) *Result {
	out := &Result{TakenBack: r.Undone != nil && r.Undone.Err() == nil}
	for _, o := range r.Outcomes {
		out.Outcomes = append(out.Outcomes, Outcome{Step: o.Step.ID, State: string(o.State), Err: o.Err, Took: o.Took})
	}
	return out
}
