package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// RollbackPlan is a plan to go back to a revision, with what it cannot restore.
type RollbackPlan struct {
	Plan *Plan
	To   Revision
	// Lost says what stays different.
	Lost []string
}

// RollbackOptions of a rollback.
type RollbackOptions struct {
	// KeepCRDs leaves CRDs as they are.
	KeepCRDs bool
	// NoWait says that nothing is waited for.
	NoWait bool
	// AcceptBreakage consents to breaking live objects by going back to CRDs
	// that do not fit them.
	AcceptBreakage bool
}

// PlanRollback decides how to return to a revision of the set. Number 0 means
// the newest that succeeded, if others failed since, and else the one before.
// After a rollback it means the same again: one that did not get to its end goes
// on, and one that did leaves nothing to do.
func PlanRollback(fleetName string, number int, revisions []Revision, records map[fleet.Key]Record) (*RollbackPlan, error) {
	to, err := pick(number, revisions)
	if err != nil {
		return nil, err
	}
	r := &RollbackPlan{To: to, Plan: &Plan{Fleet: fleetName, To: to.Number}}
	if stays := crdsStay(revisions[len(revisions)-1], to); stays != "" {
		r.Lost = append(r.Lost, stays)
	}
	wanted := map[fleet.Key]bool{}
	for _, rel := range to.Releases {
		wanted[rel.Key] = true
		r.restore(rel, records)
	}
	for key, record := range records {
		if record.Fleet == fleetName && record.Known && !wanted[key] && record.Status != HelmUninstalled {
			step := Step{
				ID: releaseID(key), Kind: StepRelease, Action: ActionUninstall, Key: key, last: record,
				Reason: fmt.Sprintf("revision %d did not have it", to.Number),
			}
			if converts(key) {
				step.Action, step.Reason = ActionUnchanged, ""
				r.Lost = append(r.Lost, fmt.Sprintf("release %s stays: %s", key, conversionStays))
			}
			r.Plan.Steps = append(r.Plan.Steps, step)
		}
	}
	slices.SortFunc(r.Plan.Steps, func(a, b Step) int { return strings.Compare(a.ID, b.ID) })
	return r, nil
}

// pick finds the revision to return to.
func pick(number int, revisions []Revision) (Revision, error) {
	if number > 0 {
		for _, r := range revisions {
			if r.Number == number {
				return r, usable(r)
			}
		}
		return Revision{}, fmt.Errorf("there is no revision %d; see `wheelhouse history`", number)
	}
	if len(revisions) == 0 {
		return Revision{}, errNoEarlier
	}
	newest := revisions[len(revisions)-1]
	if newest.To > 0 {
		return pick(newest.To, revisions)
	}
	for _, r := range slices.Backward(revisions[:len(revisions)-1]) {
		if usable(r) == nil {
			return r, nil
		}
	}
	return Revision{}, errNoEarlier
}

var errNoEarlier = errors.New("there is no earlier revision that succeeded; see `wheelhouse history`")

func usable(r Revision) error {
	switch {
	case r.Damage != "":
		return fmt.Errorf("revision %d cannot be returned to: %s", r.Number, r.Damage)
	case r.Status != RevisionDone:
		return fmt.Errorf("revision %d is %s: only a revision that is done can be returned to", r.Number, r.Status)
	case len(r.Releases) == 0:
		return fmt.Errorf("revision %d names no releases: returning to it would uninstall everything, which is what `wheelhouse destroy` is for", r.Number)
	default:
		return nil
	}
}

func (r *RollbackPlan) restore(rel ReleaseAt, records map[fleet.Key]Record) {
	now, installed := records[rel.Key]
	step := Step{
		ID: releaseID(rel.Key), Kind: StepRelease, Action: ActionRollback, Key: rel.Key, last: now, Revision: rel.Revision, crds: rel.CRDs,
		manifest: rel.Manifest,
		Reason:   fmt.Sprintf("back to Helm revision %d", rel.Revision),
	}
	switch {
	case rel.Status == HelmUninstalled && installed && converts(rel.Key):
		step.Action, step.Reason = ActionUnchanged, ""
		r.Lost = append(r.Lost, fmt.Sprintf("release %s stays: %s", rel.Key, conversionStays))
	case rel.Status == HelmUninstalled && installed:
		step.Action, step.Reason = ActionUninstall, fmt.Sprintf("revision %d did not have it", r.To.Number)
	case rel.Status == HelmUninstalled:
		return
	case !installed:
		r.lose(rel.Key)
		return
	case now.Status == HelmUninstalling:
		r.lose(rel.Key)
		step.Action, step.Reason = ActionUninstall, "an earlier client has begun to"
	case now.Status == HelmDeployed && (now.Revision == rel.Revision || now.Digest == rel.Digest && now.Digest != Digest{}):
		step.Action, step.Reason = ActionUnchanged, ""
	}
	r.Plan.Steps = append(r.Plan.Steps, step)
}

func (r *RollbackPlan) lose(key fleet.Key) {
	r.Lost = append(r.Lost, fmt.Sprintf("release %s was uninstalled and its history is gone; install it with `wheelhouse apply` and the fleet file of that time", key))
}

// AddGates makes a return wait, as a rollout does, until what comes back is
// ready. The set tells which operators claim their namespace. It comes after
// Read and PreviewRollback.
func (r *RollbackPlan) AddGates(set *fleet.Set) {
	platforms := map[fleet.Key]fleet.Release{}
	for _, rel := range set.Platforms() {
		platforms[rel.Key] = rel
	}
	for _, step := range slices.Clone(r.Plan.Steps) {
		if step.Kind != StepRelease || step.Action != ActionRollback || step.crds {
			continue
		}
		target := step.target
		target.Key, target.Scope, target.Serves = step.Key, platforms[step.Key].Scope, platforms[step.Key].Serves
		r.Plan.Steps = append(r.Plan.Steps, gateOn(gateID(step.Key), target, step.ID))
	}
}

// Hopeless says that nothing of the revision can come back; nil if something is
// there already, or can.
func (r *RollbackPlan) Hopeless() error {
	there := slices.ContainsFunc(r.Plan.Steps, func(s Step) bool { return s.Kind == StepRelease && !s.crds })
	if there || len(r.Lost) == 0 {
		return nil
	}
	return errors.New("nothing can be restored: the releases of that revision were uninstalled, and Helm's history went with them; install them with `wheelhouse apply`")
}

// crds is the index of the step that takes CRDs back; -1 if there is none.
func (r *RollbackPlan) crds() int {
	return slices.IndexFunc(r.Plan.Steps, func(s Step) bool { return s.crds && s.Action == ActionRollback })
}

// keepCRDs takes CRDs out of the plan and says so, and why.
func (r *RollbackPlan) keepCRDs(i int, because string) {
	step := &r.Plan.Steps[i]
	says := fmt.Sprintf("CRDs stay as they are (release %s, Helm revision %d)", step.Key, step.last.Revision)
	if because != "" {
		says += ": " + because
	}
	r.Lost = append(r.Lost, says)
	step.Action, step.Reason = ActionUnchanged, ""
}

// order puts CRDs where they belong, before what converts their objects. Definitions that know less than those of
// now go back when no program of now writes objects any more; others, before
// the programs that need them.
func (r *RollbackPlan) order() {
	i := r.crds()
	if i < 0 {
		return
	}
	crds := &r.Plan.Steps[i]
	gate := gateOn(gateID(crds.Key), crds.target, crds.ID)
	last := slices.ContainsFunc(crds.Definitions, func(d *crdsafety.Report) bool { return d.Worst().AtLeast(crdsafety.Narrowing) })
	for j := range r.Plan.Steps {
		other := &r.Plan.Steps[j]
		switch {
		case j == i || !other.Action.Changes():
		case converts(other.Key):
			other.Needs = append(other.Needs, gate.ID)
		case last:
			crds.Needs = append(crds.Needs, other.ID)
		default:
			other.Needs = append(other.Needs, gate.ID)
		}
	}
	r.Plan.Steps = append(r.Plan.Steps, gate)
	slices.SortStableFunc(r.Plan.Steps, func(a, b Step) int { return strings.Compare(rank(a, last), rank(b, last)) })
}

// rank sorts steps as they are carried out.
func rank(s Step, crdsLast bool) string {
	if s.crds || s.Kind == StepGate {
		if crdsLast {
			return "2"
		}
		return "0"
	}
	return "1"
}
