package rollout

import (
	"slices"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
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
	// Moves are the CRDs whose objects were to be written once more, so that a version
	// may end. Whether they were is in the status of the CRD.
	Moves []string `json:"moves,omitempty"`
	// Promise is what is still owed if the run does not get to its end; nil if
	// nothing is.
	Promise *Promise `json:"promise,omitempty"`
	// Resources are those of the objects of all releases that have an outline.
	Resources []string `json:"resources,omitempty"`
	// Imported says that the record comes from a place where others may have
	// written it. It is history, and proves nothing.
	Imported bool `json:"imported,omitempty"`
	// Damage says why a record cannot be used, and how to forget it.
	Damage string `json:"damage,omitempty"`

	// undoes says that the run keeps its promise.
	undoes bool
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
		if release.Status != HelmUninstalled {
			add(release.Key)
		}
	}
	for _, key := range r.Orphans {
		add(key)
	}
	return out
}

// Promise is to take back, if a step fails, what was changed since.
type Promise struct {
	// Before is what each release was when the run began that made the promise,
	// and what that was going to do.
	Before []ReleaseAt `json:"before"`
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
	Chart    string     `json:"chart,omitempty"`
	Revision int        `json:"revision"`
	Status   HelmStatus `json:"status"`
	Action   Action     `json:"action"`
	CRDs     bool       `json:"crds,omitempty"`
	// Digest tells what the release was made from; zero if not known.
	Digest Digest `json:"digest,omitzero"`
	// Manifest is the digest of what we wrote as the Helm revision; empty if
	// somebody else wrote it.
	Manifest string `json:"manifest,omitempty"`
	// Outline is the digest of an Outline; empty if the release is to be rendered
	// whenever it is looked at.
	Outline string `json:"outline,omitempty"`
}
