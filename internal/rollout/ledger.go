package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Ledger keeps, in the cluster, who works on a fleet and what was done to it.
type Ledger interface {
	// Acquire takes the fleet's lock. It waits while a living client holds it
	// and takes it over from a dead one.
	Acquire(ctx context.Context, report func(string)) (*Lock, error)
	// Unsettled reports whether somebody holds the lock, living or dead, or could
	// not write into the journal how its run ended.
	Unsettled(ctx context.Context) (bool, error)
	// Revisions lists the fleet's revisions, oldest first.
	Revisions(ctx context.Context) ([]Revision, error)
	// Save creates or replaces the record of a revision.
	Save(ctx context.Context, r Revision) error
}

// Lock is a lock that is held.
type Lock struct {
	// Waited says that somebody else held it first, so what was read before
	// may be stale.
	Waited bool
	// DeadHolder is who held it last and died; empty if it was free.
	DeadHolder string
	// Release gives it back.
	Release func(Ending)
}

// Ending is how a run leaves the fleet's lock.
type Ending int

const (
	// EndedUntold: the journal does not tell how it ended, or something is owed.
	EndedUntold Ending = iota
	// EndedTold: the journal tells how it ended.
	EndedTold
	// EndedForGood: nothing of the fleet is left to lock.
	EndedForGood
)

// Statuses of a revision.
const (
	RevisionRunning     = "running"
	RevisionDone        = "done"
	RevisionFailed      = "failed"
	RevisionInterrupted = "interrupted"
	// RevisionDamaged is the status of one whose record cannot be used.
	RevisionDamaged = "damaged"
)

// KnownStatus reports whether a record may have a status.
func KnownStatus(status string) bool {
	return slices.Contains([]string{RevisionRunning, RevisionDone, RevisionFailed, RevisionInterrupted}, status)
}

// KeptRevisions is how many revisions of a fleet are remembered.
const KeptRevisions = 20

// Revision is one change of the whole set.
type Revision struct {
	Fleet  string `json:"fleet"`
	Number int    `json:"revision"`
	// Description says what was asked for: "apply", "rollback to 3".
	Description string `json:"description"`
	// To is the revision that a rollback returns to.
	To       int       `json:"to,omitempty"`
	By       string    `json:"by"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Status   string    `json:"status"`
	// Unwaited says that nobody waited until what was applied was ready.
	Unwaited bool `json:"unwaited,omitempty"`
	// Cause says why it failed; empty if it did not.
	Cause string `json:"cause,omitempty"`
	// Releases is the state of every release at the end: what a rollback
	// returns to.
	Releases []ReleaseAt `json:"releases"`
	// Meant is what the run set out to write, for the case that it cannot say
	// how it ended.
	Meant []ManifestAt `json:"meant,omitempty"`
	// Orphans are releases that earlier revisions wrote, that are still there as
	// far as the journal knows, and that this one does not name.
	Orphans []fleet.Key `json:"orphans,omitempty"`
	// CRDs are the dependencies whose CRDs were applied, with their versions.
	CRDs []string `json:"crds,omitempty"`
	// Promise is what is still owed if the run does not get to its end; nil if
	// nothing is.
	Promise *Promise `json:"promise,omitempty"`
	// Imported says that the record comes from a place where others may have
	// written it. It is history, and proves nothing.
	Imported bool `json:"imported,omitempty"`
	// Damage says why a record cannot be used, and how to forget it.
	Damage string `json:"damage,omitempty"`

	// undoes says that the run keeps its promise.
	undoes bool
}

// Promise is to take back, if a step fails, what was changed since.
type Promise struct {
	// Before is what each release was when the run began that made the promise,
	// and what that was going to do.
	Before []ReleaseAt `json:"before"`
}

// Intent is what a run is about to do.
type Intent struct {
	// Description says what was asked for, By who asked.
	Description, By string
	// Promises to take back what it does if a step fails.
	Promises bool
	// GoesOn says that it takes the place of a run that did not get to its end,
	// and keeps its promise.
	GoesOn bool
	// Keeps is the promise that the run keeps, nil for one that keeps none.
	Keeps *Promise
}

// ReleaseAt is a release within a revision of the set.
type ReleaseAt struct {
	fleet.Key
	Chart    string `json:"chart,omitempty"`
	Revision int    `json:"revision"`
	Status   string `json:"status"`
	Action   Action `json:"action"`
	CRDs     bool   `json:"crds,omitempty"`
	// Digest tells what the release was made from; zero if not known.
	Digest Digest `json:"digest,omitzero"`
	// Manifest is the digest of what we wrote as the Helm revision; empty if
	// somebody else wrote it.
	Manifest string `json:"manifest,omitempty"`
}

// Changed counts the releases that the revision wrote.
func (r Revision) Changed() int {
	n := 0
	for _, rel := range r.Releases {
		if rel.Action.Changes() {
			n++
		}
	}
	return n
}

// Standing is the status for people: what nobody waited for is not called done.
func (r Revision) Standing() string {
	if r.Status == RevisionDone && r.Unwaited {
		return "applied"
	}
	return r.Status
}

// longestCause bounds what a revision keeps of a failure, in bytes.
const longestCause = 2000

// Begin writes the intent of an execution before its first change.
func Begin(ctx context.Context, ledger Ledger, plan *Plan, intent Intent) (Revision, error) {
	before, err := ledger.Revisions(ctx)
	if err != nil {
		return Revision{}, err
	}
	for _, old := range before {
		// We hold the lock, so whoever was running this no longer is.
		if old.Status == RevisionRunning {
			old.Status = RevisionInterrupted
			if err := ledger.Save(ctx, old); err != nil {
				return Revision{}, err
			}
		}
	}
	r := Revision{
		Fleet: plan.Fleet, Description: intent.Description, To: plan.To, By: intent.By, Started: time.Now().UTC(), Status: RevisionRunning,
		Promise: intent.Keeps, undoes: intent.Keeps != nil,
	}
	var last Revision
	for _, old := range before {
		r.Number = old.Number
		if old.Damage == "" {
			last = old
		}
	}
	r.Number++
	r.CRDs = crdCharts(last.CRDs, plan.Steps)
	for _, step := range plan.Steps {
		if step.Kind == StepRelease {
			r.Releases = append(r.Releases, releaseAt(step, step.last))
			r.Meant = append(r.Meant, step.meant()...)
		}
	}
	switch {
	case intent.GoesOn && last.Promise != nil && !last.Imported:
		r.Promise = last.Promise.and(r.Releases)
	case intent.Promises:
		r.Promise = &Promise{Before: r.Releases}
	}
	r.Orphans = last.without(r.Releases)
	return r, ledger.Save(ctx, r)
}

// and adds the releases that the promise does not know.
func (p *Promise) and(releases []ReleaseAt) *Promise {
	out := &Promise{Before: slices.Clone(p.Before)}
	for _, rel := range releases {
		if _, known := p.about(rel.Key); !known {
			out.Before = append(out.Before, rel)
		}
	}
	return out
}

// about is what a release was before.
func (p *Promise) about(key fleet.Key) (before ReleaseAt, known bool) {
	if p == nil {
		return ReleaseAt{}, false
	}
	i := slices.IndexFunc(p.Before, func(rel ReleaseAt) bool { return rel.Key == key })
	if i < 0 {
		return ReleaseAt{}, false
	}
	return p.Before[i], true
}

// Acquit records that nothing is owed any more.
func Acquit(ctx context.Context, ledger Ledger, r Revision) error {
	r.Promise = nil
	return ledger.Save(ctx, r)
}

// meant is the Helm revision that a step will write, if that is known. What Helm
// renders anew, or has hooks, may become another one.
func (s Step) meant() []ManifestAt {
	digest := s.manifest
	if s.target.Rendered != nil && s.target.Rendered.Manifest != "" {
		digest = ManifestDigest(s.target.Rendered.Manifest)
	}
	if !s.Action.Changes() || s.Action == ActionUninstall || digest == "" {
		return nil
	}
	return []ManifestAt{{Key: s.Key, Revision: s.last.Revision + 1, Digest: digest}}
}

// without lists the releases that a revision left behind and that others do not
// name. What a moved journal says of itself is no proof.
func (r Revision) without(named []ReleaseAt) []fleet.Key {
	if r.Imported {
		return nil
	}
	var out []fleet.Key
	add := func(key fleet.Key) {
		if !slices.ContainsFunc(named, func(n ReleaseAt) bool { return n.Key == key }) && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	for _, release := range r.Releases {
		if release.Status != "uninstalled" {
			add(release.Key)
		}
	}
	for _, key := range r.Orphans {
		add(key)
	}
	return out
}

// Finish writes how an execution ended. A promise is owed until what was promised
// has been tried, or is not needed.
func Finish(ctx context.Context, ledger Ledger, r Revision, result *Result) (Revision, error) {
	r.Finished, r.Status = time.Now().UTC(), RevisionDone
	if err := result.Err(); err != nil {
		r.Status, r.Cause = RevisionFailed, err.Error()
		if len(r.Cause) > longestCause {
			r.Cause = strings.ToValidUTF8(r.Cause[:longestCause], "") + "…"
		}
	}
	if result.Interrupted {
		r.Status = RevisionInterrupted
	}
	if r.Status == RevisionDone || r.undoes && r.Status == RevisionFailed {
		r.Promise = nil
	}
	r.Releases = nil
	for _, o := range result.Outcomes {
		if o.Step.Kind != StepRelease {
			continue
		}
		record := o.Record
		if o.State == StateSkipped {
			record = o.Step.last
		}
		r.Releases = append(r.Releases, releaseAt(o.Step, record))
	}
	return r, ledger.Save(ctx, r)
}

func releaseAt(step Step, record Record) ReleaseAt {
	if step.Action == ActionLater && record.Revision == 0 {
		// The set of that time does not have it.
		record.Status = "uninstalled"
	}
	return ReleaseAt{
		Key: step.Key, Chart: record.Chart, Revision: record.Revision, Status: record.Status, Action: step.Action,
		CRDs: step.target.Chart == fleet.ChartCRDs || step.crds, Digest: record.Digest, Manifest: record.Manifest,
	}
}

// PlanRollback decides how to return to a revision of the set. Number 0 means
// the newest that succeeded, if others failed since, and else the one before.
// After a rollback it means the same again: one that did not get to its end goes
// on, and one that did leaves nothing to do.
func PlanRollback(fleetName string, number int, revisions []Revision, records map[fleet.Key]Record) (*Return, error) {
	to, err := pick(number, revisions)
	if err != nil {
		return nil, err
	}
	r := &Return{To: to, Plan: &Plan{Fleet: fleetName, To: to.Number}}
	if stays := crdsStay(revisions[len(revisions)-1], to); stays != "" {
		r.Lost = append(r.Lost, stays)
	}
	wanted := map[fleet.Key]bool{}
	for _, rel := range to.Releases {
		wanted[rel.Key] = true
		r.restore(rel, records)
	}
	for key, record := range records {
		if record.Fleet == fleetName && record.Known && !wanted[key] && record.Status != "uninstalled" {
			r.Plan.Steps = append(r.Plan.Steps, Step{
				ID: "release " + key.String(), Kind: StepRelease, Action: ActionUninstall, Key: key, last: record,
				Reason: fmt.Sprintf("revision %d did not have it", to.Number),
			})
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

func (r *Return) restore(rel ReleaseAt, records map[fleet.Key]Record) {
	now, installed := records[rel.Key]
	step := Step{
		ID: "release " + rel.String(), Kind: StepRelease, Action: ActionRollback, Key: rel.Key, last: now, Revision: rel.Revision, crds: rel.CRDs,
		manifest: rel.Manifest,
		Reason:   fmt.Sprintf("back to Helm revision %d", rel.Revision),
	}
	switch {
	case rel.Status == "uninstalled" && installed:
		step.Action, step.Reason = ActionUninstall, fmt.Sprintf("revision %d did not have it", r.To.Number)
	case rel.Status == "uninstalled":
		return
	case !installed:
		r.lose(rel.Key)
		return
	case now.Status == "uninstalling":
		r.lose(rel.Key)
		step.Action, step.Reason = ActionUninstall, "an earlier client has begun to"
	case now.Status == "deployed" && (now.Revision == rel.Revision || now.Digest == rel.Digest && now.Digest != Digest{}):
		step.Action, step.Reason = ActionUnchanged, ""
	}
	r.Plan.Steps = append(r.Plan.Steps, step)
}

func (r *Return) lose(key fleet.Key) {
	r.Lost = append(r.Lost, fmt.Sprintf("release %s was uninstalled and its history is gone; install it with `wheelhouse apply` and the fleet file of that time", key))
}

// Stale reports whether a release has changed since the plan was made, or an
// operator of somebody else has come or gone.
func Stale(ctx context.Context, plan *Plan, releases Releases, cluster Cluster) (bool, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return false, err
	}
	for _, step := range plan.Steps {
		if step.Kind != StepRelease {
			continue
		}
		if now := records[step.Key]; now.Revision != step.last.Revision || now.Status != step.last.Status {
			return true, nil
		}
	}
	if plan.judged == nil {
		return false, nil
	}
	facts, err := cluster.Facts(ctx, plan.judged.wanted)
	if err != nil {
		return false, err
	}
	return !slices.Equal(plan.judged.operators, operatorsBeside(plan.judged.set, facts)), nil
}

// judged is what the rules were told of the operators in the cluster.
type judged struct {
	set    *fleet.Set
	wanted check.Wanted
	// operators are those of others.
	operators []check.Operator
}

func judgedBy(set *fleet.Set, facts *check.Cluster) *judged {
	wanted := check.Wanted{Facts: map[check.Fact]bool{check.FactOperators: true}, Namespaces: namespacesOf(set)}
	return &judged{set: set, wanted: wanted, operators: operatorsBeside(set, facts)}
}

func operatorsBeside(set *fleet.Set, facts *check.Cluster) []check.Operator {
	if others := facts.Foreign(set); others != nil {
		return others.Operators
	}
	return nil
}
