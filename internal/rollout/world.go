// Package rollout says how a fleet gets into a cluster: it reads the cluster
// once, makes a plan (a graph of steps as data), and executes it step by step,
// each as soon as its own prerequisites are ready. It sees the world through
// two small interfaces and knows neither Helm nor terminals.
package rollout

import (
	"context"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Releases is what a rollout asks of the release store.
type Releases interface {
	// Inventory returns the newest record of every release that Helm knows in
	// the cluster, with one metadata-only list.
	Inventory(ctx context.Context) (map[fleet.Key]Record, error)
	// Apply installs or upgrades a release and returns its new record. It
	// does not wait for readiness, and once begun is not cancelled by ctx.
	Apply(ctx context.Context, target Target, action Action, last Record) (Record, error)
	// Forecast tells how big the record of a release will be.
	Forecast(target Target) (RecordSize, error)
	// Rollback returns a release to one of its revisions, as a new revision.
	Rollback(ctx context.Context, key fleet.Key, revision int) (Record, error)
	// Uninstall removes a release and everything in it that does not carry a
	// keep policy. A release that does not exist is no error. It returns what
	// was left for another reason, and the reason.
	Uninstall(ctx context.Context, key fleet.Key) (left []string, err error)
	// Stored reads what Helm recorded of one revision of a release, of the
	// newest for 0; nil if there is none. One that was altered since we wrote
	// it is an *AlteredError.
	Stored(ctx context.Context, key fleet.Key, revision int) (*Stored, error)
}

// Cluster is what a rollout asks of the cluster itself.
type Cluster interface {
	// Describe names the cluster in messages.
	Describe() string
	// Capabilities is what templates may ask about the cluster.
	Capabilities(ctx context.Context) (*chart.Capabilities, error)
	// Lookup answers what templates look up.
	Lookup(ctx context.Context) chart.Lookup
	// Refresh forgets the capabilities, after CRDs changed.
	Refresh()
	// Namespaces tells the state of each named namespace.
	Namespaces(ctx context.Context, names []string) (map[string]NamespaceState, error)
	// CreateNamespace makes a namespace that carries our label.
	CreateNamespace(ctx context.Context, name string) error
	// DeleteNamespace removes one that is ours and empty, or says why not.
	DeleteNamespace(ctx context.Context, name string) (kept string, err error)
	// Sightings looks at the metadata of every object that the releases want,
	// in the order of the objects. Nothing exists in an absent namespace.
	Sightings(ctx context.Context, wanted map[fleet.Key][]chart.Object, absentNamespaces map[string]bool) (map[fleet.Key][]Sighting, error)
	// Facts reads what the rules want to know of the cluster.
	Facts(ctx context.Context, wanted check.Wanted) (*check.Cluster, error)
	// Rights tells which of the needed rights the user does not have.
	Rights(ctx context.Context, needs []Need) (Rights, error)
	// Compare asks the server what some writes would change, by dry run.
	Compare(ctx context.Context, c Comparison) ([]Change, error)
	// Definition reads a CRD as it lives in the cluster; nil if there is none.
	Definition(ctx context.Context, name string) (*crdsafety.Definition, error)
	// Pages lists the objects of a CRD in one of its versions, page by page.
	Pages(ctx context.Context, crd *crdsafety.Definition, version string, page func([]map[string]any) error) error
	// AwaitReady blocks until a gate is open. report receives each new
	// message about what is waited for.
	AwaitReady(ctx context.Context, gate Gate, report func(string)) error
	// Certificates reads until when webhook configurations are trusted; those
	// that cannot be read are left out.
	Certificates(ctx context.Context, configurations []chart.Object) ([]Certificate, error)
	// AuthorityDue says why the certificate of webhooks must be made, renewed or
	// have its authority trusted; empty if nothing is to be done.
	AuthorityDue(ctx context.Context, authority Authority) (string, error)
	// KeepAuthority does what is due, and loses no request: what is new is trusted
	// before it is served.
	KeepAuthority(ctx context.Context, authority Authority) error
	// Graphs lists the graphs of some namespaces, of all if none is named.
	Graphs(ctx context.Context, namespaces []string) ([]Graph, error)
	// DeleteGraph deletes a graph and waits until it is gone.
	DeleteGraph(ctx context.Context, g Graph, patience time.Duration, report func(string)) error
	// Custom counts the objects of each CRD, by CRD name.
	Custom(ctx context.Context, crds []string) (map[string]int, error)
	// ApplyCRDs writes CRDs that belong to no release. Fields says what becomes
	// of those that others own; any other conflict is an error.
	ApplyCRDs(ctx context.Context, crds []chart.Object, fields Fields) error
	// DeleteCRDs removes CRDs, and with them their objects, and waits until they
	// are gone.
	DeleteCRDs(ctx context.Context, crds []string, patience time.Duration, report func(string)) error
	// MarkedCRDs lists the CRDs that were applied without a release, by the chart
	// that they were applied for.
	MarkedCRDs(ctx context.Context) (map[string][]string, error)
	// Claims lists the volume claims of a release that outlive it.
	Claims(ctx context.Context, key fleet.Key) ([]string, error)
	// DeleteClaims removes volume claims, and with them their data.
	DeleteClaims(ctx context.Context, namespace string, names []string) error
}

// Record is the newest revision of a Helm release, as its labels tell.
type Record struct {
	fleet.Key
	Revision int    `json:"revision"`
	Status   string `json:"status"`
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
	// Left is what an operation should have deleted and did not, and why.
	Left    []string  `json:"left,omitempty"`
	Updated time.Time `json:"updated"`
}

// Stored is what Helm recorded of one revision of a release.
type Stored struct {
	Objects []chart.Object
	// Chart and Version name the chart; empty in a damaged record.
	Chart, Version string
	// Defaults are the values that the chart and the sub-charts that were on
	// brought along.
	Defaults map[string]any
	// Values are those that the release was given on top of its defaults.
	Values map[string]any
	// Manifest is its digest.
	Manifest string
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

// Digest identifies what a release was made from.
type Digest struct {
	Chart  string `json:"chart,omitempty"`
	Values string `json:"values,omitempty"`
}

// NamespaceState is what a rollout needs to know about a namespace.
type NamespaceState string

// A namespace is absent, active, or on its way out.
const (
	NamespaceAbsent      NamespaceState = "absent"
	NamespaceActive      NamespaceState = "active"
	NamespaceTerminating NamespaceState = "terminating"
)

// Gate is what must be ready before the next step may start.
type Gate struct {
	Release fleet.Key
	// Objects are waited for where their kind has a notion of readiness.
	Objects []chart.Object
	// Marker is the namespace for whose Lease, by which a restricted operator
	// claims it, is waited as well; empty for none.
	Marker string
	// Changed says that this run wrote the release, so what ran before it proves
	// nothing.
	Changed bool
	// Patience is how long to wait without any progress.
	Patience time.Duration
	// Note receives what is not ready and is not waited for; may be nil.
	Note func(string)
}

// Graph is one DynamoGraphDeployment and what its status says.
type Graph struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Ready     bool      `json:"ready"`
	State     string    `json:"state,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
	Created   time.Time `json:"created"`
}
