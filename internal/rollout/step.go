package rollout

import (
	"context"

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
	// ActionRewrite writes objects as they are.
	ActionRewrite Action = "rewrite"
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
	// StepStorage gets the objects of a definition out of versions that end.
	StepStorage StepKind = "storage"
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
	// Admitted are objects of a step that changes nothing, which admission would
	// change if they were written.
	Admitted []Change `json:"admitted,omitempty"`
	// Definitions says what the step does to live objects by changing their
	// CRDs, after Preview.
	Definitions []*crdsafety.Report `json:"definitions,omitempty"`
	// Concerns lists the other fleets whose objects are of these CRDs' kinds.
	Concerns []OtherFleet `json:"concerns,omitempty"`
	// Downgrade says that CRDs would go back to an older chart that knows less.
	Downgrade string `json:"downgrade,omitempty"`
	// Upgrades are the charts that get another version, the release's own and those of
	// its dependencies, after Preview.
	Upgrades []check.Upgrade `json:"upgrades,omitempty"`
	// Defaults lists what an upgrade changes in the chart's defaults.
	Defaults *DefaultChanges `json:"defaults,omitempty"`
	// Values are those that an upgrade changes, after Preview; a saved plan has no
	// values.
	Values []ValueChange `json:"-"`
	// Left says why the step cannot be done; it fails without being tried, and the
	// rest is done.
	Left string `json:"left,omitempty"`
	// RecordSize is set if the release's record comes near the limit.
	RecordSize *RecordSize `json:"recordSize,omitempty"`

	target Target
	// others are the fleets that a change of CRDs would concern.
	others []OtherFleet
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
	// vanished says that the record from before names kinds that the cluster does not
	// serve any more, so that nothing can go back to it.
	vanished bool
	// move is the work of a storage step.
	move *Relocation
	// awaited marks gates that are waited for whatever the options say.
	awaited bool
}

// kind is what the steps of one kind have in common: the rights that they take,
// what they change, and how they are done.
type kind interface {
	// needs lists the rights that a step takes which changes something.
	needs(s *Step, wait bool) []Need
	// preview fills in what a step changes.
	preview(ctx context.Context, s *Step, p *previewing) error
	// do carries a step out.
	do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error)
}

// kinds have a file each.
var kinds = map[StepKind]kind{
	StepNamespace:   namespaceKind{},
	StepRelease:     releaseKind{},
	StepGate:        gateKind{},
	StepGraph:       graphKind{},
	StepClaims:      claimsKind{},
	StepCRDs:        crdsKind{},
	StepStorage:     storageKind{},
	StepCertificate: certificateKind{},
	StepWave:        waveKind{},
}

// done is what a step has made.
type done struct {
	// record is the release after a step on a release.
	record Record
	// note is what there is to say of a step that succeeded.
	note string
}

// unseen is for kinds of which nothing can be previewed.
type unseen struct{}

func (unseen) preview(context.Context, *Step, *previewing) error { return nil }

// The IDs of steps: unique within a plan, and what people read.
func namespaceID(name string) string { return "namespace " + name }

func releaseID(key fleet.Key) string { return "release " + key.String() }

func gateID(key fleet.Key) string { return "gate " + key.String() }

// gateOn is a gate on what a release writes, or on CRDs if the key is zero.
func gateOn(id string, target Target, needs ...string) Step {
	return Step{ID: id, Kind: StepGate, Action: ActionWait, Key: target.Key, Needs: needs, target: target}
}
