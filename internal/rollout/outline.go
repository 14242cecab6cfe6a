package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// A release that is as its file wants it, with all its objects, need not be
// rendered again: the journal says what rendering it would give, and the cluster
// whether that is there. What cannot be told from an outline is rendered.

// Outline is what the journal remembers of a release that was rendered and found
// without fault.
type Outline struct {
	// Digest identifies the objects of the release by name, and everything beside
	// chart and values by which they were rendered and judged; empty if not known.
	Digest string
	// Resources are those of the objects, as kubectl writes them: deployments.apps.
	// There may be more.
	Resources []string
}

// Marked are the objects that carry the marks of releases.
type Marked struct {
	// Resources were looked through.
	Resources map[string]bool
	Objects   map[fleet.Key][]MarkedObject
}

// MarkedObject is a live object that says that it is of a release.
type MarkedObject struct {
	APIVersion string
	Found
}

// Looked reports whether the objects of a resource were looked through.
func (m *Marked) Looked(resource string) bool { return m != nil && m.Resources[resource] }

// Of is what there is of an object that a release wants; nil if nothing is known.
func (m *Marked) Of(key fleet.Key, wanted Found) *Metadata {
	if m == nil {
		return nil
	}
	for _, o := range m.Objects[key] {
		if o.Resource == wanted.Resource && o.Namespace == wanted.Namespace && o.Name == wanted.Name {
			return o.Live
		}
	}
	return nil
}

// found are the objects of a release, in a fixed order.
func (m *Marked) found(key fleet.Key) []Found {
	out := make([]Found, 0, len(m.Objects[key]))
	for _, o := range m.Objects[key] {
		out = append(out, o.Found)
	}
	slices.SortFunc(out, func(a, b Found) int { return strings.Compare(a.identity(), b.identity()) })
	return out
}

// heads are the objects of a release without their content.
func (m *Marked) heads(key fleet.Key) []chart.Object {
	out := make([]chart.Object, 0, len(m.Objects[key]))
	for _, o := range m.Objects[key] {
		out = append(out, chart.Object{
			APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Labels: o.Live.Labels, Annotations: o.Live.Annotations,
		})
	}
	return out
}

func (f Found) identity() string { return f.Resource + "/" + f.Namespace + "/" + f.Name }

// outlining tells which releases need not be rendered.
type outlining struct {
	set        *fleet.Set
	kubernetes string
	// apis are those that the fleet does not bring along itself.
	apis []string
	// asks tells which charts ask for them.
	asks map[string]bool
	// signatures identifies what must be signed and what of it is in the lock; empty
	// where nothing must.
	signatures string
}

func (d *Desired) outlining(caps *chart.Capabilities) (o *outlining, err error) {
	own := map[string]bool{check.OwnGroup: true}
	for _, key := range slices.Sorted(maps.Keys(d.Charts)) {
		groups, err := d.Charts[key].DefinedGroups()
		if err != nil {
			return nil, err
		}
		for _, group := range groups {
			own[group] = true
		}
	}
	o = &outlining{set: d.Set, kubernetes: caps.KubeVersion.Version, asks: map[string]bool{}}
	if o.signatures, err = d.signedDigest(); err != nil {
		return nil, err
	}
	for key, c := range d.Charts {
		o.asks[key] = c.AsksKinds()
	}
	for _, api := range caps.APIVersions {
		if group, _, _ := strings.Cut(api, "/"); !own[group] {
			o.apis = append(o.apis, api)
		}
	}
	slices.Sort(o.apis)
	return o, nil
}

// digest is that of a release with these objects.
func (o *outlining) digest(rel fleet.Release, objects []Found) (string, error) {
	known := struct {
		Program, Kubernetes  string
		APIs                 []string
		Profiles, Confined   []string
		Chart, Scope, Serves string
		Release              fleet.Key
		Objects              []string
		Signatures           string `json:",omitempty"`
	}{
		Program: version.Version, Kubernetes: o.kubernetes, Profiles: o.set.Profiles, Confined: o.set.Confined,
		Chart: rel.Chart, Scope: rel.Scope, Serves: rel.Serves, Release: rel.Key,
		Signatures: o.signatures,
	}
	if o.asks[rel.Chart] {
		known.APIs = o.apis
	}
	for _, object := range objects {
		known.Objects = append(known.Objects, object.identity())
	}
	slices.Sort(known.Objects)
	data, err := json.Marshal(known)
	if err != nil {
		return "", fmt.Errorf("release %s: %w", rel.Key, err)
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%x", sum[:16]), nil
}

// signedDigest is that of all by which images are judged to be signed.
func (d *Desired) signedDigest() (string, error) {
	if len(d.Fleet.Signatures) == 0 || d.lock == nil {
		return "", nil
	}
	data, err := json.Marshal([]any{d.Fleet.Signatures, d.lock.Images})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%x", sum[:16]), nil
}

// candidates are the releases whose records say that they are as they should be,
// and what was remembered of them.
func (d *Desired) candidates(records map[fleet.Key]Record) (map[fleet.Key]Digest, []string, error) {
	candidates, resources := map[fleet.Key]Digest{}, map[string]bool{}
	for _, rel := range d.Set.Releases {
		record := records[rel.Key]
		if record.Outline.Digest == "" || !d.Charts[rel.Chart].Settled() {
			continue
		}
		digest, err := digestFor(rel, d.Charts[rel.Chart])
		if err != nil {
			return nil, nil, err
		}
		if action, _ := decide(Target{Release: rel, Digest: digest, FleetName: d.Set.Name}, records, ""); action != ActionUnchanged {
			continue
		}
		candidates[rel.Key] = digest
		for _, resource := range record.Outline.Resources {
			resources[resource] = true
		}
	}
	return candidates, slices.Sorted(maps.Keys(resources)), nil
}

// outlined are the releases of which all is there that was remembered, and nothing
// else.
func (d *Desired) outlined(ctx context.Context, cluster Observer, caps *chart.Capabilities, records map[fleet.Key]Record) (map[fleet.Key]Target, *Marked, error) {
	candidates, resources, err := d.candidates(records)
	if err != nil || len(candidates) == 0 {
		return nil, nil, err
	}
	outlining, err := d.outlining(caps)
	if err != nil {
		return nil, nil, err
	}
	marked, err := cluster.Marked(ctx, resources)
	if err != nil {
		return nil, nil, err
	}
	out := map[fleet.Key]Target{}
	for _, rel := range d.Set.Releases {
		digest, candidate := candidates[rel.Key]
		if !candidate {
			continue
		}
		marked.Objects[rel.Key] = slices.DeleteFunc(marked.Objects[rel.Key], func(o MarkedObject) bool { return beyond(rel, o.Found) })
		now, err := outlining.digest(rel, marked.found(rel.Key))
		if err != nil {
			return nil, nil, err
		}
		outline := records[rel.Key].Outline
		if now != outline.Digest || slices.ContainsFunc(marked.Objects[rel.Key], func(o MarkedObject) bool { return o.Live.Deleting }) {
			continue
		}
		out[rel.Key] = Target{
			Release: rel, Source: d.Charts[rel.Chart], FleetName: d.Set.Name, Digest: digest, outline: outline, outlined: true,
			Rendered: &chart.Rendered{Objects: marked.heads(rel.Key)},
		}
	}
	return out, marked, nil
}

// remember makes the outlines of what was rendered, so that the journal can keep
// them. What rules have a word on is judged each time, and so are objects whose
// content matters after they were applied: definitions, webhooks, and all of a
// fleet whose definitions are somebody else's and may change any day.
func (s *Snapshot) remember(d *Desired, seen map[fleet.Key][]Found) error {
	definesKinds := func(rel fleet.Release) bool { return rel.Chart == fleet.ChartCRDs }
	if len(d.ObjectWarnings) > 0 || !slices.ContainsFunc(d.Set.Releases, definesKinds) {
		return nil
	}
	outlining, err := d.outlining(s.around.caps)
	if err != nil {
		return err
	}
	for i := range s.Targets {
		target := &s.Targets[i]
		if target.outlined || !target.Source.Settled() || target.watched() {
			continue
		}
		resources := map[string]bool{}
		for _, found := range seen[target.Key] {
			resources[found.Resource] = true
		}
		elsewhere := func(o Found) bool { return beyond(target.Release, o) }
		if resources[""] || slices.ContainsFunc(seen[target.Key], elsewhere) {
			continue
		}
		target.outline.Resources = slices.Sorted(maps.Keys(resources))
		if target.outline.Digest, err = outlining.digest(target.Release, seen[target.Key]); err != nil {
			return err
		}
	}
	return nil
}

// beyond reports whether an object lies where a release has none that an outline
// tells of: who may write there can give it the marks of any release.
func beyond(rel fleet.Release, o Found) bool {
	return o.Namespace != "" && rel.Scope != fleet.ScopeCluster && !slices.Contains(rel.Namespaces(), o.Namespace)
}

// watched reports whether the content of objects matters after they were applied.
func (t Target) watched() bool {
	return len(t.Rendered.Hooks) > 0 || len(t.Rendered.Varying) > 0 || len(callers(t.Rendered.Objects)) > 0 || slices.ContainsFunc(t.Rendered.Objects, isCRD)
}
