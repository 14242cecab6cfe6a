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
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// DestroyOptions widen what a destroy removes. By default it removes releases
// and keeps graphs' kinds (CRDs), data and namespaces.
type DestroyOptions struct {
	// WithGraphs deletes the graphs first, while their operator lives.
	WithGraphs bool
	// Namespaces keeps the removal to some of the fleet's; nil: all.
	Namespaces []string
	// PurgeData deletes the volume claims of the releases.
	PurgeData bool
	// PurgeCRDs deletes the CRDs and with them every object of their kinds.
	PurgeCRDs bool
	// PurgeNamespaces deletes namespaces that we created and that are empty.
	PurgeNamespaces bool
}

// DestroyPlan is what a destroy finds and what it will do about it.
type DestroyPlan struct {
	Plan *Plan
	// Releases are removed.
	Releases []Record
	// Unproven say that they are of the fleet, and its journal does not know them:
	// they stay.
	Unproven []Record
	// Graphs are at stake: deleted with WithGraphs, in the way otherwise.
	Graphs []Graph
	// CRDs counts the objects of each CRD of the fleet.
	CRDs map[string]int
	// Claims lists volume claims by release.
	Claims map[fleet.Key][]string
	// Namespaces that the fleet names and that exist.
	Namespaces []string
	Options    DestroyOptions

	// crdRelease and what converts its objects stay, and go, together.
	crdRelease, conversion Record
	// stay are releases of the fleet in namespaces that were not selected.
	stay []Record
	// objects of the releases, as their newest records tell; those with a keep
	// policy are left out.
	objects map[fleet.Key][]chart.Object
	// dependencyCRDs are those CRDs that no release has.
	dependencyCRDs []string
}

// Installed tells which releases there are, and what they hold.
type Installed interface {
	Inventory
	Records
}

// Remains tells what there is besides releases, and what is left of them.
type Remains interface {
	Graphs
	// Namespaces tells the state of each named namespace.
	Namespaces(ctx context.Context, names []string) (map[string]NamespaceState, error)
	// Custom counts the objects of each CRD, by CRD name.
	Custom(ctx context.Context, crds []string) (map[string]int, error)
	// MarkedCRDs lists the CRDs that were applied without a release, by the chart
	// that they were applied for.
	MarkedCRDs(ctx context.Context) (map[string][]string, error)
	// Claims lists the volume claims of a release that outlive it.
	Claims(ctx context.Context, key fleet.Key) ([]string, error)
}

// PlanDestroy reads what the fleet has installed and plans its removal, in
// reverse order. Applied are the charts whose CRDs the fleet has applied, as its
// newest revision tells. It writes nothing.
func PlanDestroy(ctx context.Context, id Identity, applied []string, releases Installed, cluster Remains, options DestroyOptions) (*DestroyPlan, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	r := &DestroyPlan{Claims: map[fleet.Key][]string{}, Options: options, objects: map[fleet.Key][]chart.Object{}}
	crdsKey, crdsInstalled := r.collect(id, records)

	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		r.Graphs, err = cluster.Graphs(gctx, servedNamespaces(id.Set))
		return err
	})
	group.Go(func() error {
		return r.countCRDs(gctx, applied, releases, cluster, crdsKey, crdsInstalled)
	})
	group.Go(func() error { return r.survey(gctx, id, cluster) })
	group.Go(func() error { return r.read(gctx, releases) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r.only(options.Namespaces)
	if len(r.Graphs) > 0 && !options.WithGraphs && len(r.Releases) > 0 {
		return r, r.graphsInTheWay()
	}
	r.plan(id, crdsKey, crdsInstalled)
	return r, nil
}

// countCRDs finds the CRDs of the CRD release and of dependencies, and counts
// what would go with them.
func (r *DestroyPlan) countCRDs(ctx context.Context, applied []string, releases Records, cluster Remains, key fleet.Key, installed bool) (err error) {
	if len(applied) > 0 {
		if r.dependencyCRDs, err = appliedCRDs(ctx, applied, cluster); err != nil {
			return err
		}
	}
	names := slices.Clone(r.dependencyCRDs)
	if installed {
		stored, err := releases.Stored(ctx, key, 0)
		if err != nil {
			return err
		}
		names = append(names, crdNames(stored.objects())...)
	}
	if len(names) == 0 {
		return nil
	}
	if r.CRDs, err = cluster.Custom(ctx, names); err != nil {
		return err
	}
	for _, name := range names {
		r.CRDs[name] += 0
	}
	return nil
}

// read finds the objects of the releases.
func (r *DestroyPlan) read(ctx context.Context, releases Records) error {
	read := slices.Clone(r.Releases)
	if r.conversion.Revision > 0 {
		read = append(read, r.conversion)
	}
	stored, refused := make([]*Stored, len(read)), make([]error, len(read))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i, record := range read {
		group.Go(func() (err error) {
			stored[i], err = releases.Stored(ctx, record.Key, 0)
			var altered *AlteredError
			if errors.As(err, &altered) {
				refused[i], err = err, nil
			}
			return err
		})
	}
	if err := errors.Join(append(refused, group.Wait())...); err != nil {
		return fmt.Errorf("nothing was removed: %w", err)
	}
	for i, record := range read {
		r.objects[record.Key], _ = without(stored[i].objects(), nil)
	}
	return nil
}

// collect finds the releases of the fleet, those it no longer names included.
// The CRD release is set apart.
func (r *DestroyPlan) collect(id Identity, records map[fleet.Key]Record) (crds fleet.Key, installed bool) {
	named := map[fleet.Key]bool{}
	for _, rel := range id.Set.Releases {
		named[rel.Key] = true
		if rel.Chart == fleet.ChartCRDs {
			crds = rel.Key
		}
	}
	for key, record := range records {
		switch {
		case key == crds:
			installed, r.crdRelease = true, record
		case converts(key) && (named[key] || record.Fleet == id.Set.Name && record.Known):
			r.conversion = record
		case named[key] || record.Fleet == id.Set.Name && record.Known:
			r.Releases = append(r.Releases, record)
		}
	}
	_, r.Unproven = orphans(id.Set, records)
	slices.SortFunc(r.Releases, func(a, b Record) int { return strings.Compare(a.String(), b.String()) })
	return crds, installed
}

// servedNamespaces lists the namespaces whose graphs the fleet's operators
// serve; nil, for all, if one of them is cluster-wide.
func servedNamespaces(set *fleet.Set) []string {
	var out []string
	for _, rel := range set.Platforms() {
		if rel.Scope == fleet.ScopeCluster {
			return nil
		}
		out = append(out, rel.Serves)
	}
	return out
}

func (r *DestroyPlan) survey(ctx context.Context, id Identity, cluster Remains) error {
	states, err := cluster.Namespaces(ctx, id.Namespaces())
	if err != nil {
		return err
	}
	for name, state := range states {
		// One that goes already is waited for, where it is to go.
		there := state == NamespaceActive || state == NamespaceTerminating && r.Options.PurgeNamespaces
		if there && name != "default" && name != id.Journal() {
			r.Namespaces = append(r.Namespaces, name)
		}
	}
	slices.Sort(r.Namespaces)
	for _, key := range r.claimants(id.Set) {
		claims, err := cluster.Claims(ctx, key)
		if err != nil {
			return err
		}
		if len(claims) > 0 {
			r.Claims[key] = claims
		}
	}
	return nil
}

// claimants are the releases that may have left volume claims: those that are
// removed, and those that the fleet names and that were removed before.
func (r *DestroyPlan) claimants(set *fleet.Set) []fleet.Key {
	keys := map[fleet.Key]bool{}
	for _, record := range r.Releases {
		keys[record.Key] = true
	}
	for _, rel := range set.Releases {
		if !ofCluster(rel.Chart) {
			keys[rel.Key] = true
		}
	}
	return slices.SortedFunc(maps.Keys(keys), func(a, b fleet.Key) int { return strings.Compare(a.String(), b.String()) })
}

func (r *DestroyPlan) graphsInTheWay() error {
	names := make([]string, 0, len(r.Graphs))
	for _, g := range r.Graphs {
		names = append(names, g.Namespace+"/"+g.Name)
	}
	const show = 5
	more := ""
	if len(names) > show {
		more = fmt.Sprintf(" and %d more", len(names)-show)
		names = names[:show]
	}
	return fmt.Errorf("graphs still run (%s%s), and without an operator nobody looks after them; delete them first, or let destroy do it with --with-graphs",
		strings.Join(names, ", "), more)
}

// laterThan lists the releases that were installed once a release was ready,
// and so go before it.
func laterThan(key fleet.Key, set *fleet.Set) []fleet.Key {
	var out []fleet.Key
	for _, rel := range set.Releases {
		if slices.Contains(rel.After, key) {
			out = append(out, rel.Key)
		}
	}
	return out
}

// plan orders the removal: graphs while the operator lives, releases, then
// what only explicit consent removes.
func (r *DestroyPlan) plan(id Identity, crds fleet.Key, crdsInstalled bool) {
	plan := &Plan{Fleet: id.Set.Name}
	add := func(s Step) string {
		plan.Steps = append(plan.Steps, s)
		return s.ID
	}
	var graphs, releases []string
	if r.Options.WithGraphs {
		for _, g := range r.Graphs {
			graphs = append(graphs, add(Step{ID: "graph " + g.Namespace + "/" + g.Name, Kind: StepGraph, Action: ActionDelete, Namespace: g.Namespace, Names: []string{g.Name}}))
		}
	}
	removed := map[fleet.Key]string{}
	for _, record := range r.Releases {
		removed[record.Key] = releaseID(record.Key)
	}
	for _, record := range r.Releases {
		needs := slices.Clone(graphs)
		for _, later := range laterThan(record.Key, id.Set) {
			if step, ok := removed[later]; ok {
				needs = append(needs, step)
			}
		}
		releases = append(releases, add(Step{ID: removed[record.Key], Kind: StepRelease, Action: ActionUninstall, Key: record.Key, Needs: needs, last: record, gone: r.objects[record.Key]}))
	}
	if r.Options.PurgeData {
		for _, key := range r.claimants(id.Set) {
			if claims := r.Claims[key]; len(claims) > 0 {
				step := Step{ID: "claims " + key.String(), Kind: StepClaims, Action: ActionDelete, Namespace: key.Namespace, Names: claims, Needs: slices.Clone(graphs)}
				if release, ok := removed[key]; ok {
					step.Needs = append(step.Needs, release)
				}
				releases = append(releases, add(step))
			}
		}
	}
	last := slices.Concat(graphs, releases)
	if r.Options.PurgeCRDs && len(r.dependencyCRDs) > 0 {
		last = append(last, add(Step{ID: "crds of dependencies", Kind: StepCRDs, Action: ActionDelete, Names: r.dependencyCRDs, Needs: last}))
	}
	if r.Options.PurgeCRDs && crdsInstalled {
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(r.CRDs)), func(name string) bool { return slices.Contains(r.dependencyCRDs, name) })
		// The release goes last: it is what leads to the CRDs if this ends early.
		deleted := add(Step{ID: "crds", Kind: StepCRDs, Action: ActionDelete, Names: names, Needs: last})
		last = append(last, deleted, add(Step{ID: releaseID(crds), Kind: StepRelease, Action: ActionUninstall, Key: crds, Needs: []string{deleted}, last: r.crdRelease, crds: true}))
	}
	if r.Options.PurgeCRDs && r.conversion.Revision > 0 {
		// Nothing asks for it once the definitions are gone.
		last = append(last, add(Step{
			ID: releaseID(r.conversion.Key), Kind: StepRelease, Action: ActionUninstall, Key: r.conversion.Key, Needs: last,
			last: r.conversion, gone: r.objects[r.conversion.Key],
		}))
	}
	if r.Options.PurgeNamespaces {
		for _, name := range r.Namespaces {
			add(Step{ID: namespaceID(name), Kind: StepNamespace, Action: ActionDelete, Namespace: name, Needs: last})
		}
	}
	for _, record := range r.stay {
		add(Step{ID: releaseID(record.Key), Kind: StepRelease, Action: ActionUnchanged, Key: record.Key, last: record, crds: record.Key == crds})
	}
	r.Plan = plan
}
