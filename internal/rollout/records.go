package rollout

import (
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Record is the newest revision of a Helm release, as its labels tell.
type Record struct {
	fleet.Key
	Revision int        `json:"revision"`
	Status   HelmStatus `json:"status"`
	// Chart is NAME-VERSION; empty where another program wrote the revision.
	Chart string `json:"chart,omitempty"`
	// Fleet is the fleet that the release belongs to; empty if none.
	Fleet string `json:"fleet,omitempty"`
	// Digest identifies the chart and values of this very revision; empty
	// where another program wrote it.
	Digest Digest `json:"-"`
	// Rival is an older revision that says that it is deployed, too; 0 if there is
	// none.
	Rival int `json:"rival,omitempty"`
	// Ours reports whether this program ever wrote the release.
	Ours bool `json:"-"`
	// Known reports whether the journal has the release. The rest is what the
	// record says of itself.
	Known bool `json:"-"`
	// Manifest is the digest of what we wrote as this revision; empty if that
	// is not known.
	Manifest string `json:"-"`
	// Outline is what the journal remembers of how it was rendered.
	Outline Outline `json:"-"`
	// Left is what an operation should have deleted and did not, and why.
	Left    []string  `json:"left,omitempty"`
	Updated time.Time `json:"updated"`
}

// Stored is what Helm recorded of one revision of a release.
type Stored struct {
	// Objects are in versions that the cluster serves.
	Objects []chart.Object
	// Vanished are those of kinds that the cluster does not serve any more.
	Vanished []chart.Object
	// Chart and Version name the chart; empty in a damaged record.
	Chart, Version string
	// Parts are the dependencies that were on.
	Parts []chart.Part
	// Defaults are the values that the chart and the sub-charts that were on
	// brought along.
	Defaults map[string]any
	// Values are those that the release was given on top of its defaults.
	Values map[string]any
	// Manifest is its digest. Again is that of the record which a return to the
	// revision makes: objects in versions that have gone come back in others.
	Manifest, Again string
	// Verdict says what the record is worth; Reach bounds what it may delete.
	Verdict Verdict
	Reach   Reach
	// Beyond lists what a record that we did not write holds and may not restore.
	Beyond []string
}

// reach bounds what is deleted by a record; what we wrote has no bounds.
func (s *Stored) reach(wanted []chart.Object) Reach {
	if s == nil || s.Verdict == Written {
		return Reach{}
	}
	return s.Reach.With(wanted)
}

// objects of a record; none if there is no record.
func (s *Stored) objects() []chart.Object {
	if s == nil {
		return nil
	}
	return s.Objects
}

// vanished are the objects of kinds that the cluster has no more.
func (s *Stored) vanished() []chart.Object {
	if s == nil {
		return nil
	}
	return s.Vanished
}

// Digest identifies what a release was made from.
type Digest struct {
	Chart  string `json:"chart,omitempty"`
	Values string `json:"values,omitempty"`
}

// HelmStatus is what Helm says of a revision of a release.
type HelmStatus string

// The statuses that decide something here.
const (
	HelmDeployed     HelmStatus = "deployed"
	HelmUninstalled  HelmStatus = "uninstalled"
	HelmUninstalling HelmStatus = "uninstalling"
)

// Pending reports whether an operation is under way, or was left so.
func (s HelmStatus) Pending() bool { return strings.HasPrefix(string(s), "pending-") }

// Leaving reports whether the release is gone, or on its way.
func (s HelmStatus) Leaving() bool { return s == HelmUninstalled || s == HelmUninstalling }
