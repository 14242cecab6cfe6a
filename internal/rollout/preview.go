package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	// ChangeLeft is an object that would be deleted if it were the release's.
	ChangeLeft     ChangeAction = "leave"
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
	// Pods counts the pods that the change replaces.
	Pods int `json:"pods,omitempty"`
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
	// Migrate counts fields that other clients of the release wrote as ours.
	Migrate bool
	// Fields says what to do about fields that others own.
	Fields Fields
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

// Preview fills in what each step of the plan changes, by server-side dry run.
// A release with drift becomes a repair. A release that wants what belongs to
// others is left out. Nothing is written.
func Preview(ctx context.Context, plan *Plan, releases Releases, cluster Cluster, options PreviewOptions) error {
	plan.AcceptBreakage, plan.options = options.AcceptBreakage, options.PlanOptions
	absent := map[string]bool{}
	for _, step := range plan.Steps {
		if step.Kind == StepNamespace && step.Action == ActionCreate {
			absent[step.Namespace] = true
		}
	}
	blocked := map[string]bool{}
	for _, row := range plan.Foreign() {
		blocked["release "+row.Release.String()] = true
		blocked[row.Name] = row.Kind == kindCRD
	}
	whole := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range plan.Steps {
		step := &plan.Steps[i]
		if blocked[step.ID] || step.Action == ActionLater || !step.Action.Changes() && !options.Drift {
			continue
		}
		switch step.Kind {
		case StepRelease:
			group.Go(func() error { return preview(ctx, step, releases, cluster, absent, options) })
		case StepCRDs:
			if slices.ContainsFunc(step.Names, func(crd string) bool { return blocked[crd] }) {
				continue
			}
			group.Go(func() error { return previewCRDs(ctx, step, cluster, options) })
		}
	}
	if err := group.Wait(); err != nil || !options.Prune {
		return err
	}
	return plan.Prune(whole, releases, cluster)
}

func preview(ctx context.Context, step *Step, releases Releases, cluster Cluster, absent map[string]bool, options PreviewOptions) error {
	var stored *Stored
	if step.last.Revision > 0 {
		var err error
		stored, err = releases.Stored(ctx, step.Key, 0)
		if step.refuses(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	step.returnable = stored != nil && stored.Verdict == Written
	wanted := step.target.Rendered.Objects
	step.gone, _ = without(stored.objects(), wanted)
	changes, err := cluster.Compare(ctx, Comparison{
		Release: step.Key, Wanted: wanted, Gone: step.gone, Reach: stored.reach(wanted),
		AbsentNamespaces: absent, Migrate: step.target.Migrate, Fields: options.Fields, Text: options.Text,
	})
	if err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	step.Changes = changes
	if step.Action.Changes() {
		if err := step.forecast(releases); err != nil {
			return err
		}
	}
	if step.Definitions, err = definitions(ctx, cluster, changes, wanted, step.gone); err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	if step.Action == ActionUpgrade {
		step.Values = step.target.shownChanges(stored)
	}
	step.Downgrade = downgrade(stored, step.target, step.Definitions)
	if step.Defaults, err = changedDefaults(ctx, cluster, stored, step); err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	drift := slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.Action == ChangeLeft })
	if len(drift) > 0 && step.Action == ActionUnchanged {
		step.Action, step.Reason = ActionRepair, changedByOthers(drift)
	}
	return nil
}

// refuses makes a record that was altered the reason why a step cannot be done.
func (s *Step) refuses(err error) bool {
	var altered *AlteredError
	if !errors.As(err, &altered) {
		return false
	}
	s.Changes = []Change{{Action: ChangeRefused, Kind: "Secret", Namespace: altered.Namespace, Name: altered.Secret(), Reason: altered.Error()}}
	return true
}

func changedByOthers(changes []Change) string {
	return fmt.Sprintf("%s and maybe more was changed by another program", changes[0])
}

// without lists the objects that another list does not have, in any version:
// those that go, and those that a keep policy holds.
func without(objects, others []chart.Object) (gone, kept []chart.Object) {
	type identity struct{ group, kind, namespace, name string }
	id := func(o chart.Object) identity { return identity{o.Group(), o.Kind, o.Namespace, o.Name} }
	have := map[identity]bool{}
	for _, o := range others {
		have[id(o)] = true
	}
	for _, o := range objects {
		switch {
		case have[id(o)]:
		case o.Kept():
			kept = append(kept, o)
		default:
			gone = append(gone, o)
		}
	}
	return gone, kept
}

// Deletions counts the objects that the plan deletes.
func (p *Plan) Deletions() int {
	n := 0
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			if change.Action == ChangeDelete {
				n++
			}
		}
	}
	return n
}
