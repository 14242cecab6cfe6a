package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Action is what a step does.
type Action string

// The actions of steps.
const (
	ActionCreate  Action = "create"
	ActionInstall Action = "install"
	ActionUpgrade Action = "upgrade"
	// ActionAdopt is the first write to a release or to objects of others.
	ActionAdopt     Action = "adopt"
	ActionRepair    Action = "repair"
	ActionUnchanged Action = "unchanged"
	ActionWait      Action = "wait"
	ActionUninstall Action = "uninstall"
	ActionDelete    Action = "delete"
	ActionRollback  Action = "rollback"
	// ActionLater leaves a release for another run.
	ActionLater Action = "later"
)

// Changes reports whether the action writes to the cluster.
func (a Action) Changes() bool { return a != ActionUnchanged && a != ActionWait && a != ActionLater }

// StepKind says what a step is about.
type StepKind string

// The kinds of steps.
const (
	StepNamespace StepKind = "namespace"
	StepRelease   StepKind = "release"
	StepGate      StepKind = "gate"
	StepGraph     StepKind = "graph"
	StepClaims    StepKind = "claims"
	StepCRDs      StepKind = "crds"
	// StepCertificate makes, renews or has trusted the certificate of webhooks.
	StepCertificate StepKind = "certificate"
	// StepWave stands between two waves.
	StepWave StepKind = "wave"
)

// Step is one thing to do. Steps form a graph by Needs.
type Step struct {
	// ID is unique within a plan and readable: "release team-a/dynamo-platform".
	ID     string   `json:"id"`
	Kind   StepKind `json:"kind"`
	Action Action   `json:"action"`
	// Reason says why the action is needed.
	Reason string `json:"reason,omitempty"`
	// Needs lists the IDs of the steps that must have succeeded before.
	Needs []string `json:"needs,omitempty"`
	// Key is the release of a release or gate step.
	Key fleet.Key `json:"release,omitzero"`
	// Namespace is what a namespace step is about, or where Names are.
	Namespace string `json:"namespace,omitempty"`
	// Names lists what a graph, claims or crds step is about.
	Names []string `json:"names,omitempty"`
	// Chart is the dependency whose CRDs a crds step applies, with its version.
	Chart string `json:"chart,omitempty"`
	// Revision is the Helm revision that a rollback returns to.
	Revision int `json:"revision,omitempty"`
	// Changes is what a release step does, after Preview.
	Changes []Change `json:"changes,omitempty"`
	// Definitions says what the step does to live objects by changing their
	// CRDs, after Preview.
	Definitions []*crdsafety.Report `json:"definitions,omitempty"`
	// Downgrade says that CRDs would go back to an older chart that knows less.
	Downgrade string `json:"downgrade,omitempty"`
	// Defaults lists what an upgrade changes in the chart's defaults.
	Defaults *DefaultChanges `json:"defaults,omitempty"`
	// Values are those that an upgrade changes, after Preview; a saved plan has no
	// values.
	Values []ValueChange `json:"-"`
	// RecordSize is set if the release's record comes near the limit.
	RecordSize *RecordSize `json:"recordSize,omitempty"`

	target Target
	last   Record
	// gone are the objects that the release had and no longer has.
	gone []chart.Object
	// kept are those of them that a keep policy holds.
	kept []chart.Object
	// newer is the version of applied CRDs that is newer than the step's.
	newer string
	// fields says what a step on CRDs does about fields that others own.
	fields Fields
	// crds marks the CRD release in plans that have no target.
	crds bool
	// reach bounds what is deleted.
	reach Reach
	// manifest is the digest of what a rollback returns to, as the fleet's
	// revision has it; empty if it does not tell.
	manifest string
	// returnable says that the record from before is what we wrote, so that an
	// undo may go back to it.
	returnable bool
	// awaited marks gates that are waited for whatever the options say.
	awaited bool
}

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

// Snapshot is everything that a plan is decided from, read once.
type Snapshot struct {
	Targets    []Target
	Records    map[fleet.Key]Record
	Namespaces map[string]NamespaceState
	// Ownership says of each object that a release wants whose it is.
	Ownership map[fleet.Key][]Ownership
	// crds are the CRDs of dependencies that releases turn on.
	crds []crdSet
	// due says, for each target, why the certificate of its webhooks needs work.
	due []string
	// Facts is what the rules look at.
	Facts *check.Cluster
	// KubeVersion is the cluster's.
	KubeVersion string
}

// Observe reads the cluster, in parallel and without any write.
func Observe(ctx context.Context, d *Desired, releases Releases, cluster Cluster) (*Snapshot, error) {
	s := &Snapshot{}
	group, gctx := errgroup.WithContext(ctx)
	recorded := make(chan struct{})
	group.Go(func() (err error) {
		s.Records, err = releases.Inventory(gctx)
		close(recorded)
		return err
	})
	group.Go(func() (err error) {
		s.Namespaces, err = cluster.Namespaces(gctx, append(namespacesOf(d.Set), d.Fleet.Journal.Namespace.Value))
		return err
	})
	group.Go(func() (err error) {
		s.Facts, err = cluster.Facts(gctx, check.Wants(d.Set))
		return err
	})
	group.Go(func() error {
		caps, err := cluster.Capabilities(gctx)
		if err != nil {
			return err
		}
		s.KubeVersion = caps.KubeVersion.Version
		around := surroundings{caps: caps}
		if !d.pure() {
			<-recorded
			around.lookup, around.records = cluster.Lookup(gctx), s.Records
		}
		s.Targets, err = d.targetsIn(gctx, around)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.observeAuthorities(ctx, cluster); err != nil {
		return nil, err
	}
	return s, s.observeOwnership(ctx, cluster)
}

// pure reports whether no chart of the fleet depends on what is in the cluster.
func (d *Desired) pure() bool {
	for _, c := range d.Charts {
		if !c.Pure() {
			return false
		}
	}
	return true
}

// observeOwnership looks at everything that the releases want.
func (s *Snapshot) observeOwnership(ctx context.Context, cluster Cluster) error {
	wanted, absent := make(map[fleet.Key][]chart.Object, len(s.Targets)), map[string]bool{}
	for _, target := range s.Targets {
		wanted[target.Key] = target.Rendered.Objects
	}
	for name, state := range s.Namespaces {
		absent[name] = state == NamespaceAbsent
	}
	var err error
	if s.crds, err = crdSets(s.Targets); err != nil {
		return err
	}
	for _, set := range s.crds {
		wanted[set.sightingsKey()] = set.Objects
	}
	seen, err := cluster.Sightings(ctx, wanted, absent)
	if err != nil {
		return err
	}
	s.Ownership = make(map[fleet.Key][]Ownership, len(s.Targets))
	for _, target := range s.Targets {
		s.Ownership[target.Key] = stand(target, s.Records, seen[target.Key])
	}
	for i := range s.crds {
		if err := s.crds[i].observe(ctx, cluster, seen[s.crds[i].sightingsKey()]); err != nil {
			return err
		}
	}
	return nil
}

func namespacesOf(set *fleet.Set) []string {
	names := map[string]bool{}
	for _, rel := range set.Releases {
		for _, namespace := range rel.Namespaces() {
			names[namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
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
			plan.Steps = append(plan.Steps, Step{ID: "namespace " + name, Kind: StepNamespace, Action: ActionCreate, Namespace: name})
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
		gate := Step{ID: "gate " + target.String(), Kind: StepGate, Action: ActionWait, Key: target.Key, Needs: []string{release.ID}, target: target}
		if target.Chart == fleet.ChartCRDs {
			crdGates = append(crdGates, gate.ID)
		} else {
			release.Needs = append(release.Needs, crdGates...)
		}
		release.Needs = append(release.Needs, needed[target.Key]...)
		for _, before := range target.After {
			release.Needs = append(release.Needs, "gate "+before.String())
		}
		plan.Steps = append(plan.Steps, release)
		if certificate := s.certificateStep(i, release); certificate != nil {
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
	var problems []error
	for _, name := range namespacesOf(d.Set) {
		if s.Namespaces[name] == NamespaceTerminating {
			problems = append(problems, fmt.Errorf("namespace %s is being deleted; wait until it is gone (`kubectl get namespace %s -o yaml` shows what holds it), then apply again", name, name))
		}
	}
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

func releaseStep(target Target, s *Snapshot) Step {
	rows, last := s.Ownership[target.Key], s.Records[target.Key]
	action, reason := decide(target, s.Records, damaged(rows))
	for _, row := range rows {
		if row.Standing == Adoptable && row.Kind != KindRelease {
			target.Adopts = append(target.Adopts, row)
		}
	}
	if action == ActionInstall && len(target.Adopts) > 0 {
		action, reason = ActionAdopt, fmt.Sprintf("not installed, %d of its objects exist", len(target.Adopts))
	}
	// What another client wrote last, or we did not finish, may have fields
	// that are recorded as somebody else's.
	target.Migrate = len(target.Adopts) > 0 || last.Revision > 0 && (last.Digest == Digest{} || last.Status != "deployed")
	step := Step{
		ID: "release " + target.String(), Kind: StepRelease, Action: action, Reason: reason,
		Key: target.Key, target: target, last: last,
	}
	for _, namespace := range target.Namespaces() {
		if s.Namespaces[namespace] == NamespaceAbsent {
			step.Needs = append(step.Needs, "namespace "+namespace)
		}
	}
	return step
}

// decide compares a release as it should be with its newest record. The damage
// says what its objects lack; empty if nothing.
func decide(target Target, records map[fleet.Key]Record, damage string) (Action, string) {
	last, exists := records[target.Key]
	switch {
	case !exists:
		return ActionInstall, "not installed"
	case strings.HasPrefix(last.Status, "pending-"):
		return ActionRepair, "an earlier client left it " + last.Status
	case last.Status == "uninstalled", last.Status == "uninstalling":
		return ActionInstall, "it is " + last.Status
	case !last.Ours:
		return ActionAdopt, "installed by another program so far"
	case last.Status != "deployed":
		return ActionUpgrade, "the last attempt " + last.Status
	case last.Digest == Digest{}:
		return ActionUpgrade, fmt.Sprintf("revision %d was made by another program", last.Revision)
	case last.Fleet != target.FleetName:
		return ActionAdopt, fmt.Sprintf("belongs to fleet %s so far", last.Fleet)
	case last.Digest.Chart != target.Digest.Chart && last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "chart and values changed"
	case last.Digest.Chart != target.Digest.Chart:
		return ActionUpgrade, "chart changed"
	case last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "values changed"
	case last.Rival > 0:
		return ActionRepair, fmt.Sprintf("revisions %d and %d both say that they are deployed", last.Rival, last.Revision)
	case damage != "":
		return ActionRepair, damage
	default:
		return ActionUnchanged, ""
	}
}

// orphans are releases that the fleet once wrote and no longer names, and those
// of which only they themselves say so.
func orphans(set *fleet.Set, records map[fleet.Key]Record) (known, unproven []Record) {
	wanted := map[fleet.Key]bool{}
	for _, rel := range set.Releases {
		wanted[rel.Key] = true
	}
	for key, record := range records {
		switch {
		case record.Fleet != set.Name || wanted[key] || record.Status == "uninstalled":
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
