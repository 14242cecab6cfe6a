package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Undo plans the reverse of what an execution has done, in the reverse order of
// its dependencies: releases that it upgraded go back, releases that it
// installed are removed. Namespaces stay, so that the next run need not wait
// until they are gone. The plan also lists, as unchanged, what it leaves: it is
// the state of the set. What is lost was changed and stays so. PreviewUndo must
// follow. With a promise, what runs have done that died since it was given is
// reversed, too.
func Undo(plan *Plan, result *Result, promise *Promise) *RollbackPlan {
	undo := &RollbackPlan{Plan: &Plan{Fleet: plan.Fleet}}
	var kept, crds []Step
	for _, o := range slices.Backward(result.Outcomes) {
		if o.Step.Kind == StepCRDs && o.Step.Action.Changes() && o.State != StateSkipped {
			undo.Lost = append(undo.Lost, o.Step.ID+": they belong to no release, and others may use them")
		}
		if o.Step.Kind == StepStorage && o.State == StateDone {
			undo.Lost = append(undo.Lost, o.Step.ID+": objects stay stored in "+o.Step.move.To)
		}
		if o.Step.Kind != StepRelease {
			continue
		}
		if before, known := promise.about(o.Step.Key); known {
			o = o.since(before)
		}
		step, reason := undoStep(o)
		if reason != "" {
			undo.Lost = append(undo.Lost, fmt.Sprintf("release %s: %s", step.Key, reason))
		}
		switch {
		case !step.Action.Changes():
			kept = append(kept, step)
		case step.crds:
			crds = append(crds, step)
		default:
			undo.Plan.Steps = append(undo.Plan.Steps, step)
		}
	}
	reverse(undo.Plan.Steps, plan)
	undo.Plan.Steps = slices.Concat(undo.Plan.Steps, crds, kept)
	return undo
}

// ForeseeUndo says, before a plan is carried out, what taking all of it back
// would do, a line each, and what it would leave.
func ForeseeUndo(plan *Plan) []string {
	all := &Result{}
	for _, step := range plan.Steps {
		if step.Kind == StepRelease && step.Action.Changes() {
			all.Outcomes = append(all.Outcomes, Outcome{Step: step, State: StateDone, Record: step.last})
		}
	}
	undo := Undo(plan, all, nil)
	var lines []string
	for _, step := range undo.Plan.Steps {
		if step.Action.Changes() {
			lines = append(lines, fmt.Sprintf("%s: %s (%s)", step.ID, step.Action, step.Reason))
		}
	}
	for _, lost := range undo.Lost {
		lines = append(lines, lost+": stays as this apply leaves it")
	}
	return shortened(lines)
}

// PreviewUndo gives CRDs their place among the steps of an undo, after the check
// that a rollback makes. CRDs that would hurt live objects by going back stay,
// and so do those that cannot be checked: the rest is taken back all the same.
func PreviewUndo(ctx context.Context, undo *RollbackPlan, releases Records, cluster Comparer, fields Fields) {
	i := undo.crds()
	if i < 0 {
		return
	}
	step := &undo.Plan.Steps[i]
	if because := unfit(ctx, step, releases, cluster, fields); because != "" {
		undo.keepCRDs(i, because)
		return
	}
	undo.lost(*step)
	undo.order()
}

// unfit says why CRDs cannot go back; empty if they can.
func unfit(ctx context.Context, step *Step, releases Records, cluster Comparer, fields Fields) string {
	gone, err := readRollback(ctx, step, releases)
	if err == nil && gone == "" {
		err = previewRollback(ctx, step, cluster, fields)
	}
	switch {
	case err != nil:
		return err.Error()
	case gone != "":
		return gone
	}
	one := &Plan{Steps: []Step{*step}}
	lines := slices.Concat(step.harmLines(false), one.refused())
	for _, change := range step.Changes {
		for _, f := range change.Conflicts {
			lines = append(lines, fmt.Sprintf("%s: %s", change, f))
		}
	}
	// Lines that begin with a space go on what the one before says.
	text := strings.ReplaceAll(strings.Join(lines, "\n"), step.ID+": ", "")
	return strings.NewReplacer(":\n  ", ": ", "\n  ", ", ", "\n", "; ").Replace(text)
}

// since is the outcome as if one run had done all that was done to a release since
// it was what it was before.
func (o Outcome) since(before ReleaseAt) Outcome {
	untouched := o.State == StateSkipped || !o.Step.Action.Changes()
	if untouched {
		o.Record = o.Step.last
	}
	o.Step.returnable = before.Manifest != "" || o.Step.returnable && before.Revision == o.Step.last.Revision
	o.Step.vanished = o.Step.vanished && before.Revision == o.Step.last.Revision
	o.State, o.Step.last = StateDone, Record{
		Key: before.Key, Chart: before.Chart, Revision: before.Revision, Status: before.Status, Digest: before.Digest, Manifest: before.Manifest,
	}
	switch {
	case untouched && o.Record.Revision == before.Revision && o.Record.Status == before.Status:
		o.Step.Action = ActionUnchanged
	case before.Action.Changes():
		o.Step.Action = before.Action
	case before.Revision == 0:
		o.Step.Action = ActionInstall
	default:
		o.Step.Action = ActionUpgrade
	}
	return o
}

// undoStep reverses what was done to a release, or says why it stays.
func undoStep(o Outcome) (step Step, stays string) {
	before := o.Step.last
	step = Step{ID: o.Step.ID, Kind: StepRelease, Key: o.Step.Key, Action: ActionUnchanged, crds: o.Step.crds || o.Step.target.Chart == fleet.ChartCRDs, last: o.Record}
	if o.State == StateSkipped || !o.Step.Action.Changes() {
		step.last = before
		if before.Revision == 0 {
			step.last = Record{Key: o.Step.Key, Status: HelmUninstalled}
		}
		return step, ""
	}
	switch {
	case o.Step.Action == ActionUninstall:
		return step, "it was uninstalled, and its history with it"
	case o.Step.Action == ActionInstall && step.crds:
		return step, "its CRDs are new, and stay: they carry a keep policy, and the next apply goes on from them"
	case o.Step.Action == ActionInstall && converts(step.Key):
		return step, conversionStays
	case o.Step.Action == ActionInstall:
		step.Action, step.Reason = ActionUninstall, "it was new"
	case len(o.Step.target.Replaces) > 0:
		return step, replacedStays(o.Step.target.Replaces)
	case before.Status == HelmDeployed && o.Step.vanished:
		return step, fmt.Sprintf("its Helm revision %d names kinds that the cluster does not serve any more", before.Revision)
	case before.Status == HelmDeployed && !o.Step.returnable:
		return step, fmt.Sprintf("its Helm revision %d was not written by wheelhouse, so nothing goes back to it unasked", before.Revision)
	case before.Status == HelmDeployed:
		step.Action, step.Revision = ActionRollback, before.Revision
		step.Reason = fmt.Sprintf("back to Helm revision %d", before.Revision)
	case before.Revision == 0:
		return step, "its objects existed before it took them over"
	default:
		return step, "it was " + string(before.Status) + " before"
	}
	return step, ""
}

// reverse makes each step need those whose release needed its own.
func reverse(steps []Step, plan *Plan) {
	byID := map[string]Step{}
	for _, s := range plan.Steps {
		byID[s.ID] = s
	}
	for _, later := range steps {
		needed := map[string]bool{}
		closure(byID, later.ID, needed)
		for i := range steps {
			if needed[steps[i].ID] {
				steps[i].Needs = append(steps[i].Needs, later.ID)
			}
		}
	}
}

// closure collects everything that a step needs, directly or not.
func closure(steps map[string]Step, id string, found map[string]bool) {
	for _, need := range steps[id].Needs {
		if !found[need] {
			found[need] = true
			closure(steps, need, found)
		}
	}
}
