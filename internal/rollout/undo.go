package rollout

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Undo plans the reverse of what an execution has done, in the reverse order of
// its dependencies: releases that it upgraded go back, releases that it
// installed are removed. Namespaces stay, so that the next run need not wait
// until they are gone. The plan also lists, as unchanged, what it leaves: it is
// the state of the set. The second result says what was changed and stays so.
func Undo(plan *Plan, result *Result) (undo *Plan, stays []string) {
	undo = &Plan{Fleet: plan.Fleet}
	var kept []Step
	for _, o := range slices.Backward(result.Outcomes) {
		if o.Step.Kind != StepRelease {
			continue
		}
		step, reason := undoStep(o)
		if reason != "" {
			stays = append(stays, fmt.Sprintf("release %s: %s", step.Key, reason))
		}
		if step.Action.Changes() {
			undo.Steps = append(undo.Steps, step)
			continue
		}
		kept = append(kept, step)
	}
	reverse(undo.Steps, plan)
	undo.Steps = append(undo.Steps, kept...)
	return undo, stays
}

// undoStep reverses what was done to a release, or says why it stays.
func undoStep(o Outcome) (step Step, stays string) {
	before := o.Step.last
	step = Step{ID: o.Step.ID, Kind: StepRelease, Key: o.Step.Key, Action: ActionUnchanged, crds: o.Step.crds || o.Step.target.Chart == fleet.ChartCRDs, last: o.Record}
	if o.State == StateSkipped || !o.Step.Action.Changes() {
		step.last = before
		if before.Revision == 0 {
			step.last = Record{Key: o.Step.Key, Status: "uninstalled"}
		}
		return step, ""
	}
	switch {
	case step.crds:
		return step, "CRDs stay as they are, and with them the objects of their kinds"
	case o.Step.Action == ActionUninstall:
		return step, "it was uninstalled, and its history with it"
	case o.Step.Action == ActionInstall:
		step.Action, step.Reason = ActionUninstall, "it was new"
	case before.Status == "deployed":
		step.Action, step.Revision = ActionRollback, before.Revision
		step.Reason = fmt.Sprintf("back to Helm revision %d", before.Revision)
	case before.Revision == 0:
		return step, "its objects existed before it took them over"
	default:
		return step, "it was " + before.Status + " before"
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
