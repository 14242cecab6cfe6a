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
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Action is what a step does.
type Action string

// The actions of steps.
const (
	ActionCreate    Action = "create"
	ActionInstall   Action = "install"
	ActionUpgrade   Action = "upgrade"
	ActionRepair    Action = "repair"
	ActionUnchanged Action = "unchanged"
	ActionWait      Action = "wait"
	ActionUninstall Action = "uninstall"
	ActionDelete    Action = "delete"
	ActionRollback  Action = "rollback"
)

// Changes reports whether the action writes to the cluster.
func (a Action) Changes() bool { return a != ActionUnchanged && a != ActionWait }

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
	// Revision is the Helm revision that a rollback returns to.
	Revision int `json:"revision,omitempty"`
	// Changes is what a release step does, after Preview.
	Changes []Change `json:"changes,omitempty"`

	target Target
	last   Record
	// crds marks the CRD release in plans that have no target.
	crds bool
}

// Plan is what has to be done, as data.
type Plan struct {
	Fleet string `json:"fleet"`
	Steps []Step `json:"steps"`
	// Orphans are releases of this fleet that the file no longer names. A
	// rollout leaves them alone.
	Orphans []Record `json:"orphans,omitempty"`
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
	Operators  []check.Operator
	// Absent holds missing objects of releases whose digest has not changed.
	Absent map[fleet.Key][]chart.Object
}

// Observe reads the cluster, in parallel and without any write.
func Observe(ctx context.Context, d *Desired, releases Releases, cluster Cluster) (*Snapshot, error) {
	s := &Snapshot{}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.Records, err = releases.Inventory(gctx)
		return err
	})
	group.Go(func() (err error) {
		s.Namespaces, err = cluster.Namespaces(gctx, namespacesOf(d.Set))
		return err
	})
	group.Go(func() (err error) {
		s.Operators, err = cluster.Operators(gctx)
		return err
	})
	group.Go(func() error {
		caps, err := cluster.Capabilities(gctx)
		if err != nil {
			return err
		}
		s.Targets, err = d.Targets(gctx, caps)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	unchanged := map[fleet.Key][]chart.Object{}
	for _, target := range s.Targets {
		if action, _ := decide(target, s.Records, nil); action == ActionUnchanged {
			unchanged[target.Key] = target.Rendered.Objects
		}
	}
	var err error
	s.Absent, err = cluster.Absent(ctx, unchanged)
	return s, err
}

func namespacesOf(set *fleet.Set) []string {
	names := map[string]bool{}
	for _, rel := range set.Releases {
		names[rel.Namespace] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// NewPlan decides what to do. It is pure. Errors are reasons to do nothing at
// all: a namespace on its way out, a foreign operator.
func NewPlan(d *Desired, s *Snapshot) (*Plan, error) {
	if err := refuse(d, s); err != nil {
		return nil, err
	}
	plan := &Plan{Fleet: d.Set.Name}
	for _, name := range namespacesOf(d.Set) {
		if s.Namespaces[name] == NamespaceAbsent {
			plan.Steps = append(plan.Steps, Step{ID: "namespace " + name, Kind: StepNamespace, Action: ActionCreate, Namespace: name})
		}
	}
	var crdGates []string
	for _, target := range s.Targets {
		release := releaseStep(target, s)
		gate := Step{ID: "gate " + target.String(), Kind: StepGate, Action: ActionWait, Key: target.Key, Needs: []string{release.ID}, target: target}
		if target.Chart == fleet.ChartCRDs {
			crdGates = append(crdGates, gate.ID)
		} else {
			release.Needs = append(release.Needs, crdGates...)
		}
		plan.Steps = append(plan.Steps, release, gate)
	}
	plan.Orphans = orphans(d, s)
	return plan, nil
}

// refuse lists everything that forbids the rollout as a whole.
func refuse(d *Desired, s *Snapshot) error {
	var problems []error
	for _, name := range namespacesOf(d.Set) {
		if s.Namespaces[name] == NamespaceTerminating {
			problems = append(problems, fmt.Errorf("namespace %s is being deleted; wait until it is gone (`kubectl get namespace %s -o yaml` shows what holds it), then apply again", name, name))
		}
	}
	findings := check.Live(check.Input{Set: d.Set, Charts: d.Charts, Operators: s.Operators})
	if findings.Err() != nil {
		problems = append(problems, &ConflictError{Findings: findings, Operators: s.Operators})
	}
	return errors.Join(problems...)
}

// ConflictError says that the cluster has an operator which the fleet cannot
// coexist with.
type ConflictError struct {
	Findings  check.Findings
	Operators []check.Operator
}

func (e *ConflictError) Error() string { return e.Findings.Err().Error() }

func releaseStep(target Target, s *Snapshot) Step {
	action, reason := decide(target, s.Records, s.Absent)
	step := Step{
		ID: "release " + target.String(), Kind: StepRelease, Action: action, Reason: reason,
		Key: target.Key, target: target, last: s.Records[target.Key],
	}
	if s.Namespaces[target.Namespace] == NamespaceAbsent {
		step.Needs = append(step.Needs, "namespace "+target.Namespace)
	}
	return step
}

// decide compares a release as it should be with its newest record.
func decide(target Target, records map[fleet.Key]Record, absent map[fleet.Key][]chart.Object) (Action, string) {
	last, exists := records[target.Key]
	switch {
	case !exists:
		return ActionInstall, "not installed"
	case strings.HasPrefix(last.Status, "pending-"):
		return ActionRepair, "an earlier client left it " + last.Status
	case last.Status == "uninstalled", last.Status == "uninstalling":
		return ActionInstall, "it is " + last.Status
	case last.Status != "deployed":
		return ActionUpgrade, "the last attempt " + last.Status
	case !last.Ours:
		return ActionUpgrade, "installed by another program so far"
	case last.Digest == Digest{}:
		return ActionUpgrade, fmt.Sprintf("revision %d was made by another program", last.Revision)
	case last.Fleet != target.FleetName:
		return ActionUpgrade, fmt.Sprintf("belongs to fleet %s so far", last.Fleet)
	case last.Digest.Chart != target.Digest.Chart && last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "chart and values changed"
	case last.Digest.Chart != target.Digest.Chart:
		return ActionUpgrade, "chart changed"
	case last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "values changed"
	case len(absent[target.Key]) > 0:
		return ActionRepair, missing(absent[target.Key])
	default:
		return ActionUnchanged, ""
	}
}

func missing(objects []chart.Object) string {
	if len(objects) == 1 {
		return objects[0].String() + " is missing"
	}
	return fmt.Sprintf("%s and %d more objects are missing", objects[0], len(objects)-1)
}

// orphans are releases that the fleet once wrote and no longer names.
func orphans(d *Desired, s *Snapshot) []Record {
	wanted := map[fleet.Key]bool{}
	for _, rel := range d.Set.Releases {
		wanted[rel.Key] = true
	}
	var out []Record
	for key, record := range s.Records {
		if record.Fleet == d.Set.Name && !wanted[key] && record.Status != "uninstalled" {
			out = append(out, record)
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.String(), b.String()) })
	return out
}
