// Package rollout says how a fleet gets into a cluster: it reads the cluster
// once, makes a plan (a graph of steps as data), and executes it step by step,
// each as soon as its own prerequisites are ready. It sees the world through
// interfaces that stand where they are used, and knows neither Helm nor terminals.
package rollout

import (
	"errors"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Plan is what has to be done, as data.
type Plan struct {
	Fleet string `json:"fleet"`
	// To is the revision of the set that the plan returns to, 0 if none.
	To    int    `json:"to,omitempty"`
	Steps []Step `json:"steps"`
	// Orphans are releases of this fleet that the file no longer names. A
	// rollout leaves them alone.
	Orphans []Record `json:"orphans,omitempty"`
	// Unproven are releases that say that they are of this fleet, and that its
	// journal does not know. They are left alone, whatever is asked for.
	Unproven []Record `json:"unproven,omitempty"`
	// Ownership says of each object that a release wants whose it is.
	Ownership []Ownership `json:"ownership,omitempty"`
	// Findings are the warnings and notes of the rules.
	Findings check.Findings `json:"findings,omitempty"`
	// Others is who else is in the cluster; nil if nobody is.
	Others *check.Cluster `json:"others,omitempty"`
	// AcceptBreakage consents to breaking live objects by changing their CRDs.
	AcceptBreakage bool `json:"acceptBreakage,omitempty"`

	// options are those of the preview.
	options PlanOptions
	// journalMissing says that the namespace of the journal is to be made.
	journalMissing bool
	// judged is nil for a plan that no rules have judged.
	judged *judged
}

// Changes reports whether executing the plan would write anything.
func (p *Plan) Changes() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action.Changes() })
}

// NewPlan decides what to do. It is pure. Errors are reasons to do nothing at
// all: a namespace on its way out, a foreign operator.
func NewPlan(d *Desired, s *Snapshot) (*Plan, error) {
	findings, err := judge(d, s)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Fleet: d.Set.Name, Findings: findings}
	if s.Facts != nil {
		plan.Others, plan.judged = s.Facts.Foreign(d.Set), judgedBy(d.Set, s.Facts)
	}
	journal := d.Fleet.Journal.Namespace.Value
	plan.journalMissing = s.Namespaces[journal] == NamespaceAbsent && !slices.Contains(namespacesOf(d.Set), journal)
	for _, name := range namespacesOf(d.Set) {
		if s.Namespaces[name] == NamespaceAbsent {
			plan.Steps = append(plan.Steps, Step{ID: namespaceID(name), Kind: StepNamespace, Action: ActionCreate, Namespace: name})
		}
	}
	needed, err := plan.addCRDs(s)
	if err != nil {
		return nil, err
	}
	var crdGates []string
	for i, target := range s.Targets {
		release := releaseStep(target, s)
		target = release.target
		release.Left = s.left(target.Release)
		gate := gateOn(gateID(target.Key), target, release.ID)
		if target.Chart == fleet.ChartCRDs {
			release.others = otherFleets(ofOthers(d.Set.Name, s.Records))
			crdGates = append(crdGates, gate.ID)
		} else {
			release.Needs = append(release.Needs, crdGates...)
		}
		release.Needs = append(release.Needs, needed[target.Key]...)
		for _, before := range target.After {
			release.Needs = append(release.Needs, gateID(before))
		}
		plan.Steps = append(plan.Steps, release)
		if target.Chart == fleet.ChartConversion {
			// Definitions that ask for it come once it answers, whatever else is waited for.
			gate.awaited = true
		}
		if certificate := s.certificateStep(s.authorityFor(i), release); certificate != nil && !keptBefore(release) {
			gate.Needs = append(gate.Needs, certificate.ID)
			plan.Steps = append(plan.Steps, *certificate)
		}
		plan.Steps = append(plan.Steps, gate)
		plan.Ownership = append(plan.Ownership, s.Ownership[target.Key]...)
	}
	plan.addWaves(d.Set.Waves)
	plan.Orphans, plan.Unproven = orphans(d.Set, s.Records)
	return plan, nil
}

// addCRDs adds the steps on CRDs of dependencies and tells, for each release,
// which gates it needs.
func (p *Plan) addCRDs(s *Snapshot) (map[fleet.Key][]string, error) {
	needed := map[fleet.Key][]string{}
	for _, set := range s.crds {
		steps, err := set.steps()
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, steps...)
		p.Ownership = append(p.Ownership, set.rows...)
		for _, user := range set.users {
			if len(steps) > 0 {
				needed[user] = append(needed[user], steps[len(steps)-1].ID)
			}
		}
	}
	return needed, nil
}

// judge runs the rules that look at the cluster. Its error lists everything
// that forbids the rollout as a whole.
func judge(d *Desired, s *Snapshot) (check.Findings, error) {
	problems := s.leaving(d.Set)
	findings := slices.Clone(d.ObjectWarnings)
	if s.Facts != nil {
		live := check.Live(check.Input{Set: d.Set, Charts: d.Charts, Rendered: renderedOf(s.Targets), KubeVersion: s.KubeVersion, Cluster: s.Facts})
		findings = append(findings, live...)
		if live.Err() != nil {
			problems = append(problems, &ConflictError{Findings: live, Others: s.Facts.Foreign(d.Set)})
		}
	}
	return findings, errors.Join(problems...)
}

// ConflictError says that the cluster is not fit for the fleet: it has, for
// example, an operator which the fleet cannot coexist with.
type ConflictError struct {
	Findings check.Findings
	// Others is who else is in the cluster; nil if nobody is.
	Others *check.Cluster
}

func (e *ConflictError) Error() string { return e.Findings.Err().Error() }

// Unwrap makes the findings a refusal.
func (e *ConflictError) Unwrap() error { return e.Findings.Err() }

// orphans are releases that the fleet once wrote and no longer names, and those
// of which only they themselves say so.
func orphans(set *fleet.Set, records map[fleet.Key]Record) (known, unproven []Record) {
	wanted := map[fleet.Key]bool{}
	for _, rel := range set.Releases {
		wanted[rel.Key] = true
	}
	for key, record := range records {
		switch {
		case record.Fleet != set.Name || wanted[key] || record.Status == HelmUninstalled:
		case record.Known:
			known = append(known, record)
		default:
			unproven = append(unproven, record)
		}
	}
	byName := func(a, b Record) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(known, byName)
	slices.SortFunc(unproven, byName)
	return known, unproven
}

// inOrder lists the steps so that each comes after what it needs, and else as
// the plan has them.
func (p *Plan) inOrder() []string {
	steps := map[string]Step{}
	for _, s := range p.Steps {
		steps[s.ID] = s
	}
	var out []string
	placed := map[string]bool{}
	var place func(id string)
	place = func(id string) {
		step, known := steps[id]
		if !known || placed[id] {
			return
		}
		placed[id] = true
		for _, need := range step.Needs {
			place(need)
		}
		out = append(out, id)
	}
	for _, s := range p.Steps {
		place(s.ID)
	}
	return out
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
