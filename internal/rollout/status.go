package rollout

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Status is how a fleet is.
type Status struct {
	Fleet    string          `json:"fleet"`
	Releases []ReleaseStatus `json:"releases"`
	Graphs   []Graph         `json:"graphs"`
	// Orphans are releases of this fleet that the file no longer names.
	Orphans []Record `json:"orphans,omitempty"`
}

// ReleaseStatus is how one release is.
type ReleaseStatus struct {
	fleet.Key
	Chart    string    `json:"chart"`
	Revision int       `json:"revision"`
	Status   string    `json:"status"`
	Updated  time.Time `json:"updated,omitzero"`
	// Drift says how the release differs from the fleet file; empty if it
	// does not, as far as digests and the existence of objects tell.
	Drift string `json:"drift,omitempty"`
	// Gate says what the release's objects still wait for; empty if ready.
	Gate  string `json:"gate,omitempty"`
	Ready bool   `json:"ready"`
	// Certificates tell how long the release's webhooks are trusted.
	Certificates []Certificate `json:"certificates,omitempty"`
	// Optional lists what is not ready and does not have to be.
	Optional []string `json:"optional,omitempty"`
}

// Healthy reports whether everything is installed, as wanted, and ready.
func (s *Status) Healthy() bool {
	for _, r := range s.Releases {
		if c := r.Certificate(); !r.Ready || r.Drift != "" || c != nil && !c.Expires.After(time.Now()) {
			return false
		}
	}
	for _, g := range s.Graphs {
		if !g.Ready {
			return false
		}
	}
	return true
}

// gateGlance is how long a status looks at a gate that is not open.
const gateGlance = 300 * time.Millisecond

// ReadStatus compares the cluster with the fleet, without any write.
func ReadStatus(ctx context.Context, d *Desired, releases Releases, cluster Cluster) (*Status, error) {
	snapshot, err := Observe(ctx, d, releases, cluster)
	if err != nil {
		return nil, err
	}
	s := &Status{
		Fleet: d.Set.Name, Orphans: orphans(d, snapshot),
		Releases: make([]ReleaseStatus, len(snapshot.Targets)), Graphs: []Graph{},
	}
	group, gctx := errgroup.WithContext(ctx)
	for i, target := range snapshot.Targets {
		group.Go(func() (err error) {
			s.Releases[i] = releaseStatus(gctx, target, snapshot, cluster)
			s.Releases[i].Certificates, err = cluster.Certificates(gctx, webhooks(target.Rendered.Objects))
			return err
		})
	}
	group.Go(func() error {
		graphs, err := cluster.Graphs(gctx, servedNamespaces(d.Set))
		s.Graphs = append(s.Graphs, graphs...)
		return err
	})
	return s, group.Wait()
}

func releaseStatus(ctx context.Context, target Target, snapshot *Snapshot, cluster Cluster) ReleaseStatus {
	record, installed := snapshot.Records[target.Key]
	status := ReleaseStatus{Key: target.Key, Chart: record.Chart, Revision: record.Revision, Status: record.Status, Updated: record.Updated}
	if !installed {
		status.Status, status.Drift, status.Gate = "missing", "not installed", "not installed"
		return status
	}
	if action, reason := decide(target, snapshot.Records, damaged(snapshot.Ownership[target.Key])); action != ActionUnchanged {
		status.Drift = reason
	} else {
		status.Drift = snapshot.missingFor(target.Key)
	}
	err := cluster.AwaitReady(ctx, Gate{
		Release: target.Key, Objects: target.Rendered.Objects, Marker: hasMarker(target), Patience: gateGlance,
		Note: func(note string) { status.Optional = append(status.Optional, note) },
	}, func(string) {})
	if err != nil {
		status.Gate = err.Error()
	}
	status.Ready = err == nil && record.Status == "deployed"
	return status
}
