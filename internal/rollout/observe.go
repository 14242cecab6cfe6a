package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Inventory tells which releases there are.
type Inventory interface {
	// Inventory returns the newest record of every release that Helm knows in
	// the cluster, with one metadata-only list.
	Inventory(ctx context.Context) (map[fleet.Key]Record, error)
}

// Observer tells what a plan is decided from.
type Observer interface {
	Definitions
	// Capabilities is what templates may ask about the cluster.
	Capabilities(ctx context.Context) (*chart.Capabilities, error)
	// Lookup answers what templates look up.
	Lookup(ctx context.Context) chart.Lookup
	// Namespaces tells the state of each named namespace.
	Namespaces(ctx context.Context, names []string) (map[string]NamespaceState, error)
	// Marked lists the objects of some resources that carry the marks of a release.
	// Resources that the cluster does not serve, or the user may not list, have none.
	Marked(ctx context.Context, resources []string) (*Marked, error)
	// Find looks at the metadata of every object that the releases want, in the
	// order of the objects. Nothing exists in an absent namespace. What was seen
	// before is not asked for again; nil: nothing.
	Find(ctx context.Context, wanted map[fleet.Key][]chart.Object, absentNamespaces map[string]bool, before *Marked) (map[fleet.Key][]Found, error)
	// Facts reads what the rules want to know of the cluster.
	Facts(ctx context.Context, wanted check.Wanted) (*check.Cluster, error)
	// AuthorityDue says why the certificate of webhooks must be made, renewed or
	// have its authority trusted; empty if nothing is to be done.
	AuthorityDue(ctx context.Context, authority Authority) (string, error)
}

// NamespaceState is what a rollout needs to know about a namespace.
type NamespaceState string

// A namespace is absent, active, or on its way out.
const (
	NamespaceAbsent      NamespaceState = "absent"
	NamespaceActive      NamespaceState = "active"
	NamespaceTerminating NamespaceState = "terminating"
)

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
	// KeepGoing leaves out releases that cannot go, instead of everything.
	KeepGoing bool

	around surroundings
	// marked is what carries the marks of releases, as far as that was asked for.
	marked *Marked
}

// Observe reads the cluster, in parallel and without any write. If the whole is
// asked for, every release is rendered, else those that may have changed.
func Observe(ctx context.Context, d *Desired, releases Inventory, cluster Observer, whole bool) (*Snapshot, error) {
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
		<-recorded
		s.around = surroundings{caps: caps}
		if !d.pure() {
			s.around.lookup, s.around.records = cluster.Lookup(gctx), s.Records
		}
		if !whole {
			if s.around.outlined, s.marked, err = d.outlined(gctx, cluster, s.around.caps, s.Records); err != nil {
				return err
			}
		}
		s.Targets, err = d.targetsIn(gctx, s.around)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.observeAuthorities(ctx, cluster); err != nil {
		return nil, err
	}
	return s, s.observeOwnership(ctx, d, cluster)
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
func (s *Snapshot) observeOwnership(ctx context.Context, d *Desired, cluster Observer) error {
	wanted, absent := make(map[fleet.Key][]chart.Object, len(s.Targets)), map[string]bool{}
	for _, target := range s.Targets {
		if !target.outlined {
			wanted[target.Key] = target.Rendered.Objects
		}
	}
	for name, state := range s.Namespaces {
		absent[name] = state == NamespaceAbsent
	}
	var err error
	if s.crds, err = crdSets(s.Targets); err != nil {
		return err
	}
	for _, set := range s.crds {
		wanted[set.foundUnder()] = set.Objects
	}
	seen, err := cluster.Find(ctx, wanted, absent, s.marked)
	if err != nil {
		return err
	}
	s.Ownership = make(map[fleet.Key][]Ownership, len(s.Targets))
	for _, target := range s.Targets {
		found := seen[target.Key]
		if target.outlined {
			found = s.marked.found(target.Key)
		}
		s.Ownership[target.Key] = ownershipOf(target, s.Records, found)
	}
	if err := s.remember(d, seen); err != nil {
		return err
	}
	for i := range s.crds {
		if err := s.crds[i].observe(ctx, cluster, seen[s.crds[i].foundUnder()]); err != nil {
			return err
		}
	}
	return nil
}

// observeAuthorities asks which certificates are due. One of a release that is
// not installed yet is.
func (s *Snapshot) observeAuthorities(ctx context.Context, cluster Observer) error {
	s.due = make([]string, len(s.Targets))
	group, ctx := errgroup.WithContext(ctx)
	for i, target := range s.Targets {
		authority, err := authorityOf(target.Key, target.Rendered.Objects)
		if err != nil {
			return fmt.Errorf("release %s: %w", target.Key, err)
		}
		if authority == nil {
			continue
		}
		s.Targets[i].authority = authority
		if record, installed := s.Records[target.Key]; !installed || record.Status == HelmUninstalled {
			s.due[i] = "the release is new"
			continue
		}
		group.Go(func() (err error) {
			s.due[i], err = cluster.AuthorityDue(ctx, *authority)
			return err
		})
	}
	return group.Wait()
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
