package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Status is how a fleet is.
type Status struct {
	Fleet string `json:"fleet"`
	// Cluster is the address of the API server.
	Cluster string `json:"cluster"`
	// FileUnread says that the fleet file cannot be read as a whole, so that
	// nothing is said of what it wants.
	FileUnread bool `json:"fileUnread,omitempty"`
	// Unread says what of the cluster the user may not read, so that nothing is said
	// of what the file wants.
	Unread   string          `json:"unread,omitempty"`
	Releases []ReleaseStatus `json:"releases"`
	Graphs   []Graph         `json:"graphs"`
	// Agents are the checkpoint agents on nodes.
	Agents []Agent `json:"agents,omitempty"`
	// Running are the images that run beside graphs, and Volumes the claims there, where
	// details were asked for.
	Running []Running `json:"running,omitempty"`
	Volumes []Volume  `json:"volumes,omitempty"`
	// Orphans are releases of this fleet that the file no longer names.
	Orphans []Record `json:"orphans,omitempty"`
	// Unproven are releases that say so, and that the journal does not know.
	Unproven []Record `json:"unproven,omitempty"`
	// Others are the releases of other fleets, as they say themselves, for a fleet that
	// installs the CRDs for all.
	Others []Record `json:"others,omitempty"`
}

// Agent is a checkpoint agent on a node.
type Agent struct {
	Node      string `json:"node"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Ready     bool   `json:"ready"`
	// Message says why it is not ready, if that is known.
	Message  string    `json:"message,omitempty"`
	Image    string    `json:"image"`
	Restarts int       `json:"restarts,omitempty"`
	Created  time.Time `json:"created,omitzero"`
}

// Running is an image of containers in a namespace.
type Running struct {
	Image      string `json:"image"`
	Namespace  string `json:"namespace"`
	Containers int    `json:"containers"`
	Ready      int    `json:"ready"`
}

// Volume is a volume claim.
type Volume struct {
	Namespace string    `json:"namespace"`
	Claim     string    `json:"claim"`
	Phase     string    `json:"phase"`
	Size      string    `json:"size"`
	Class     string    `json:"class,omitempty"`
	Created   time.Time `json:"created"`
}

// ReleaseStatus is how one release is.
type ReleaseStatus struct {
	fleet.Key
	Chart    string     `json:"chart"`
	Revision int        `json:"revision"`
	Status   HelmStatus `json:"status"`
	Updated  time.Time  `json:"updated,omitzero"`
	// Differs says how the release differs from the fleet file; empty if it
	// does not, as far as digests and the existence of objects tell.
	Differs string `json:"differs,omitempty"`
	// Gate says what the release's objects still wait for; empty if ready.
	Gate  string `json:"gate,omitempty"`
	Ready bool   `json:"ready"`
	// Certificates tell how long the release's webhooks are trusted.
	Certificates []Certificate `json:"certificates,omitempty"`
	// Optional lists what is not ready and does not have to be.
	Optional []string `json:"optional,omitempty"`
}

// StatusMissing is the status of a release that is not installed.
const StatusMissing HelmStatus = "missing"

// Compared reports whether the cluster was held against the file.
func (s *Status) Compared() bool { return !s.FileUnread && s.Unread == "" }

// Healthy reports whether everything that the manager answers for is so: each
// release is installed, as wanted, and ready. Graphs are their owners': one of
// them that is not ready does not make a platform unhealthy.
func (s *Status) Healthy() bool {
	return s.Compared() && !slices.ContainsFunc(s.Releases, func(r ReleaseStatus) bool { return !r.Healthy() })
}

// Healthy reports whether the release is installed, as wanted, and ready.
func (r ReleaseStatus) Healthy() bool {
	c := r.Certificate()
	return r.Ready && r.Differs == "" && (c == nil || c.Expires.After(time.Now()))
}

// gateGlance is how long a status looks at a gate that is not open.
const gateGlance = 300 * time.Millisecond

// StatusReader tells how a cluster is.
type StatusReader interface {
	Observer
	// GraphsAndUnserved lists the graphs of some namespaces, of all if none is
	// named, and those of others that no operator has looked at.
	GraphsAndUnserved(ctx context.Context, namespaces []string) ([]Graph, error)
	// Agents lists the checkpoint agents of some namespaces.
	Agents(ctx context.Context, namespaces []string) ([]Agent, error)
	// Running lists images that run in some namespaces beside graphs, and claims there.
	Running(ctx context.Context, namespaces []string) ([]Running, []Volume, error)
	// Describe names the cluster.
	Describe() string
	// AwaitReady blocks until a gate is open.
	AwaitReady(ctx context.Context, gate Gate, report func(string)) error
	// Certificates reads until when webhook configurations are trusted; those
	// that cannot be read are left out.
	Certificates(ctx context.Context, configurations []chart.Object) ([]Certificate, error)
}

// ReadStatus compares the cluster with the fleet, without any write. Where the
// file cannot be read (d is nil), it tells what is in the cluster.
func ReadStatus(ctx context.Context, id Identity, d *Desired, releases Installed, cluster StatusReader) (*Status, error) {
	s := &Status{Fleet: id.Set.Name, Cluster: cluster.Describe(), FileUnread: d == nil, Graphs: []Graph{}}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if d == nil {
			s.Releases, err = installed(gctx, id, releases, cluster)
		} else {
			err = s.compare(gctx, d, releases, cluster)
		}
		return err
	})
	group.Go(func() error {
		graphs, err := cluster.GraphsAndUnserved(gctx, servedNamespaces(id.Set))
		s.Graphs = append(s.Graphs, graphs...)
		return err
	})
	group.Go(func() (err error) {
		s.Agents, err = cluster.Agents(gctx, preparedNamespaces(id.Set))
		return err
	})
	return s, group.Wait()
}

// Detail adds what runs where the fleet's releases are, and what is stored there.
func (s *Status) Detail(ctx context.Context, id Identity, cluster StatusReader) (err error) {
	s.Running, s.Volumes, err = cluster.Running(ctx, id.Namespaces())
	return err
}

// preparedNamespaces are those with a release of checkpoint agents.
func preparedNamespaces(set *fleet.Set) (out []string) {
	for _, rel := range set.Releases {
		if rel.Chart == fleet.ChartChrek && !slices.Contains(out, rel.Namespace) {
			out = append(out, rel.Namespace)
		}
	}
	return out
}

// compare tells of each release that the file wants how it is, and which others
// there are.
func (s *Status) compare(ctx context.Context, d *Desired, releases Installed, cluster StatusReader) error {
	snapshot, err := Observe(ctx, d, releases, cluster, false)
	if err != nil {
		return err
	}
	s.Orphans, s.Unproven = orphans(d.Set, snapshot.Records)
	if !d.Fleet.CRDs.Elsewhere {
		s.Others = ofOthers(d.Set.Name, snapshot.Records)
	}
	s.Releases = make([]ReleaseStatus, len(snapshot.Targets))
	group, gctx := errgroup.WithContext(ctx)
	for i, target := range snapshot.Targets {
		group.Go(func() (err error) {
			record, installed := snapshot.Records[target.Key]
			differs := "not installed"
			if installed {
				differs = snapshot.differs(target)
			}
			s.Releases[i], err = releaseStatus(gctx, record, target, cluster)
			s.Releases[i].Differs = differs
			return err
		})
	}
	return group.Wait()
}

// ofOthers lists the releases that other fleets have. What they are and of which
// version is read from their records, not from anybody's journal.
func ofOthers(name string, records map[fleet.Key]Record) (out []Record) {
	for _, record := range records {
		if record.Fleet != "" && record.Fleet != name && !record.Status.Leaving() {
			out = append(out, record)
		}
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(strings.Compare(a.Fleet, b.Fleet), strings.Compare(a.String(), b.String()))
	})
	return out
}

// differs says how a release that is installed differs from what the file wants.
func (s *Snapshot) differs(target Target) string {
	if action, reason := decide(target, s.Records, damaged(s.Ownership[target.Key])); action != ActionUnchanged {
		return reason
	}
	return s.missingFor(target.Key)
}

// installed tells of each release of the fleet how it is, as its record says.
func installed(ctx context.Context, id Identity, releases Installed, cluster StatusReader) ([]ReleaseStatus, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	named := map[fleet.Key]fleet.Release{}
	for _, rel := range id.Set.Releases {
		named[rel.Key] = rel
		if _, known := records[rel.Key]; !known {
			records[rel.Key] = Record{Key: rel.Key}
		}
	}
	maps.DeleteFunc(records, func(key fleet.Key, r Record) bool {
		_, known := named[key]
		return !known && (r.Fleet != id.Set.Name || !r.Known)
	})
	keys := slices.SortedFunc(maps.Keys(records), func(a, b fleet.Key) int { return strings.Compare(a.String(), b.String()) })
	out := make([]ReleaseStatus, len(keys))
	group, gctx := errgroup.WithContext(ctx)
	for i, key := range keys {
		group.Go(func() error {
			stored, err := releases.Stored(gctx, key, 0)
			if err != nil {
				return err
			}
			rel := fleet.Release{Key: key, Scope: named[key].Scope, Serves: named[key].Serves}
			target := Target{Release: rel, Rendered: &chart.Rendered{Objects: stored.objects()}}
			out[i], err = releaseStatus(gctx, records[key], target, cluster)
			return err
		})
	}
	return out, group.Wait()
}

// releaseStatus looks at a release's objects.
func releaseStatus(ctx context.Context, record Record, target Target, cluster StatusReader) (ReleaseStatus, error) {
	status := ReleaseStatus{Key: target.Key, Chart: record.Chart, Revision: record.Revision, Status: record.Status, Updated: record.Updated}
	if record.Revision == 0 {
		status.Status, status.Gate = StatusMissing, "not installed"
		return status, nil
	}
	err := cluster.AwaitReady(ctx, Gate{
		Release: target.Key, Objects: target.Rendered.Objects, Marker: markerOf(target), Runs: converts(target.Key), Patience: gateGlance,
		Note: func(note string) { status.Optional = append(status.Optional, note) },
	}, func(string) {})
	if err != nil {
		status.Gate = withoutConversion(target.Key, err.Error())
	}
	status.Ready = err == nil && record.Status == HelmDeployed
	if status.Certificates, err = cluster.Certificates(ctx, callers(target.Rendered.Objects)); err != nil {
		return status, err
	}
	authority, err := authorityOf(target.Key, target.Rendered.Objects)
	if authority != nil {
		for i := range status.Certificates {
			status.Certificates[i].renewal = "`wheelhouse apply` renews it"
		}
	}
	return status, err
}
