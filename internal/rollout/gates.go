package rollout

import (
	"errors"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// AddGates makes a return wait, as a rollout does, until what comes back is
// ready. The set tells which operators claim their namespace. It comes after
// Read and PreviewReturn.
func (r *Return) AddGates(set *fleet.Set) {
	scopes := map[fleet.Key]string{}
	for _, rel := range set.Platforms() {
		scopes[rel.Key] = rel.Scope
	}
	for _, step := range slices.Clone(r.Plan.Steps) {
		if step.Kind != StepRelease || step.Action != ActionRollback || step.crds {
			continue
		}
		target := step.target
		target.Scope = scopes[step.Key]
		r.Plan.Steps = append(r.Plan.Steps, Step{
			ID: "gate " + step.Key.String(), Kind: StepGate, Action: ActionWait, Key: step.Key, Needs: []string{step.ID}, target: target,
		})
	}
}

// Hopeless says that nothing of the revision can come back; nil if something is
// there already, or can.
func (r *Return) Hopeless() error {
	there := slices.ContainsFunc(r.Plan.Steps, func(s Step) bool { return s.Kind == StepRelease && !s.crds })
	if there || len(r.Lost) == 0 {
		return nil
	}
	return errors.New("nothing can be restored: the releases of that revision were uninstalled, and Helm's history went with them; install them with `wheelhouse apply`")
}
