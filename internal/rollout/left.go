package rollout

import (
	"fmt"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// Who keeps going leaves the releases that cannot go, each with its reason, and does
// the rest. A release that is left fails without being tried: what needs it is
// skipped, and the run does not end well.

// leaving lists the namespaces that are being deleted, as reasons to do nothing; none
// if the releases in them are left instead.
func (s *Snapshot) leaving(set *fleet.Set) (problems []error) {
	rest := ""
	if len(set.Platforms()) > 1 {
		rest = ", or do the rest now with `wheelhouse apply --keep-going`"
	}
	for _, name := range namespacesOf(set) {
		if s.Namespaces[name] == NamespaceTerminating && !s.KeepGoing {
			problems = append(problems, fmt.Errorf("%s, then apply again%s", waitForNamespace(name), rest))
		}
	}
	return problems
}

// left says why a release cannot go; empty if it can, as far as its namespaces tell.
func (s *Snapshot) left(rel fleet.Release) string {
	for _, name := range rel.Namespaces() {
		if s.Namespaces[name] == NamespaceTerminating {
			return waitForNamespace(name)
		}
	}
	return ""
}

func waitForNamespace(name string) string {
	return fmt.Sprintf("namespace %s is being deleted; wait until it is gone (`kubectl get namespace %s -o yaml` shows what holds it)", name, name)
}

// leaveRefused leaves the releases of which the server does not accept an object, and
// those whose way is blocked. The CRDs are not left: all others need them.
func (p *Plan) leaveRefused() {
	for i := range p.Steps {
		step := &p.Steps[i]
		if step.Kind != StepRelease || ofCluster(step.target.Chart) {
			continue
		}
		var why []string
		for _, change := range step.Changes {
			if change.Action == ChangeRefused {
				why = append(why, fmt.Sprintf("%s %s: %s", change.Action, change, change.Reason))
			}
		}
		for _, u := range step.Upgrades {
			if j := u.Judge(); j.Verdict == transition.Blocked {
				why = append(why, fmt.Sprintf("%s is blocked: %s", u, j.Because))
			}
		}
		if len(why) > 0 {
			step.Left = "nothing of it was written: " + strings.Join(why, "; ")
		}
	}
}
