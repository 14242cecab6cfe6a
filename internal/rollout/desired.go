package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// Source is where a fleet is read from.
type Source struct {
	// File is the path of the fleet file.
	File string
	// Context is the cluster to read it for; empty where the file names one at most.
	Context string
	Files   fleet.Files
	// Opener decrypts values files.
	Opener fleet.Opener
	// Charts holds the charts of the binary, one folder per chart key.
	Charts   fs.FS
	Profiles fs.FS
	// Set are --set flags and the like.
	Set fleet.Flags
	// Named finds the charts that the fleet file names in registries.
	Named Dependencies
	// Dependencies finds the third-party charts that releases turn on.
	Dependencies Dependencies
	// Lock has the signatures of images; nil: none is asked for.
	Lock *chart.Lock
	// Unfetched is why charts that are not at hand could not be fetched; nil if
	// nobody tried.
	Unfetched error
}

// Identity is what going back, removing and looking need to know of a fleet:
// its name, its journal and its releases by key. Releases have values only in
// what Read returns.
type Identity struct {
	Fleet *fleet.Fleet
	Set   *fleet.Set
}

// Identify reads a fleet's identity. Nothing but the fleet file and what it
// takes platforms from is looked at, and values in it may be wrong.
func Identify(source Source) (Identity, error) {
	f, err := fleet.Identify(source.Files, source.File, source.Context)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Fleet: f, Set: fleet.Outline(f)}, nil
}

// Namespaces lists where the fleet's releases are.
func (id Identity) Namespaces() []string { return namespacesOf(id.Set) }

// Journal is the namespace of the fleet's lock and history.
func (id Identity) Journal() string { return id.Fleet.Journal.Namespace.Value }

// Desired is a fleet that has been read, resolved and checked as far as that
// is possible without a cluster.
type Desired struct {
	Identity
	Charts map[string]*chart.Chart
	// absent are the charts of registries that are not at hand. There are no others
	// then, and values without the defaults of any.
	absent []chart.Dependency
	// Warnings are about values, ObjectWarnings, after Targets, about objects.
	Warnings, ObjectWarnings check.Findings
	// trusted is what must be signed, and by which keys; lock has what was, of images.
	trusted signature.Policy
	lock    *chart.Lock
}

// Read loads a fleet file, its charts and its values, and runs the rules on
// them. Every error names a place in a file.
func Read(source Source) (*Desired, error) {
	f, err := fleet.Load(source.Files, source.File, source.Context)
	if err != nil {
		return nil, err
	}
	d := &Desired{Identity: Identity{Fleet: f}, Charts: map[string]*chart.Chart{}, lock: source.Lock}
	if d.trusted, err = signature.NewPolicy(f.Signatures); err != nil {
		return nil, err
	}
	defaults := map[string]*fleet.Value{}
	var absent error
	for _, key := range fleet.ChartKeys {
		c, err := d.openChart(key, source)
		if err != nil {
			return nil, err
		}
		if c == nil {
			absent = errors.Join(absent, d.putAbsent(key, source.Unfetched))
			continue
		}
		d.Charts[key], defaults[key] = c, c.Defaults()
	}
	if absent != nil {
		// What is missing in the values is not known without the charts.
		d.Set, _ = fleet.Resolve(f, fleet.Input{Files: source.Files, Opener: source.Opener, Profiles: source.Profiles, Set: source.Set})
		return d, absent
	}
	if err := d.resolve(source, defaults); err != nil {
		return nil, err
	}
	findings := check.Values(check.Input{Set: d.Set, Charts: d.Charts, Unfetched: source.Unfetched})
	d.Warnings = findings.Warnings()
	return d, findings.Err()
}

// resolve layers the values, again if they turn on third-party charts that are
// at hand: those bring defaults of their own.
func (d *Desired) resolve(source Source, defaults map[string]*fleet.Value) (err error) {
	in := fleet.Input{Files: source.Files, Opener: source.Opener, Profiles: source.Profiles, Defaults: defaults, Set: source.Set}
	if d.Set, err = fleet.Resolve(d.Fleet, in); err != nil || source.Dependencies == nil {
		return err
	}
	again := false
	for _, key := range fleet.ChartKeys {
		added, err := d.addDependencies(key, source.Dependencies)
		if err != nil {
			return err
		}
		defaults[key] = d.Charts[key].Defaults()
		again = again || added
	}
	if again {
		d.Set, err = fleet.Resolve(d.Fleet, in)
	}
	return err
}

// openChart takes the chart that the fleet names, or the binary's own. One of a
// registry that is not at hand is nil.
func (d *Desired) openChart(key string, source Source) (c *chart.Chart, err error) {
	named, ok := d.Fleet.Charts[key]
	switch {
	case !ok:
		return chart.OpenFS(source.Charts, key)
	case chart.InRegistry(named.Value):
		c, err = d.findNamed(named.Value, source.Named)
	default:
		c, err = chart.Open(d.Fleet.Resolve(named.Value))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: spec.charts.%s: %w", named.Origin, key, err)
	}
	return c, nil
}

func (d *Desired) findNamed(address string, in Dependencies) (*chart.Chart, error) {
	wanted, err := chart.ParseRegistry(address)
	if err != nil || in == nil {
		return nil, err
	}
	return in.Find(wanted, d.trusted)
}

// putAbsent notes a chart that is not at hand, and says so.
func (d *Desired) putAbsent(key string, why error) error {
	named := d.Fleet.Charts[key]
	wanted, err := chart.ParseRegistry(named.Value)
	if err != nil {
		return err
	}
	d.absent = append(d.absent, wanted)
	if why == nil {
		why = errors.New("fetch it with `wheelhouse deps pull`")
	}
	return fmt.Errorf("%s: spec.charts.%s: %s is not at hand: %w", named.Origin, key, wanted, why)
}

// Target is one release as it should be.
type Target struct {
	fleet.Release
	// Source is the chart that Release.Chart names.
	Source   *chart.Chart
	Rendered *chart.Rendered
	Digest   Digest
	// FleetName is recorded with the release.
	FleetName string
	// Adopts are objects that exist without this release and become part of it.
	Adopts []Ownership
	// authority is the certificate that the release asks for; nil if none.
	authority *Authority
	// Migrate moves fields that other clients of the release recorded as theirs
	// to us, so that what leaves the chart also leaves the objects.
	Migrate bool
	// Replaces are the objects that cannot change in place, as Change.String writes
	// them.
	Replaces map[string]*Replacement
	// outline is what the journal is to remember of the release.
	outline Outline
	// outlined says that the release was not rendered, because all is as it was: its
	// objects are those in the cluster, without their content.
	outlined bool
}

// Targets renders every release, in parallel, and runs the rules on the
// rendered objects. The result has the order of the set.
func (d *Desired) Targets(ctx context.Context, caps *chart.Capabilities) ([]Target, error) {
	return d.targetsIn(ctx, surroundings{caps: caps})
}

// surroundings are what templates see of a cluster.
type surroundings struct {
	caps *chart.Capabilities
	// lookup is nil offline: then nothing is found, and all releases are new.
	lookup  chart.Lookup
	records map[fleet.Key]Record
	// outlined are the releases that need not be rendered.
	outlined map[fleet.Key]Target
}

// render renders a release as the next write to it would.
func (s surroundings) render(rel fleet.Release, c *chart.Chart) (*chart.Rendered, error) {
	revision := 1
	if last, exists := s.records[rel.Key]; exists && !last.Status.Leaving() {
		revision = last.Revision + 1
	}
	return c.RenderLive(chart.Release{Name: rel.Name, Namespace: rel.Namespace, Revision: revision}, rel.Overrides.PlainMap(), s.caps, s.lookup)
}

func (d *Desired) targetsIn(ctx context.Context, around surroundings) ([]Target, error) {
	targets := make([]Target, len(d.Set.Releases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, rel := range d.Set.Releases {
		if outlined, known := around.outlined[rel.Key]; known {
			targets[i] = outlined
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			target, err := newTarget(d.Set.Name, rel, d.Charts[rel.Chart], around)
			targets[i] = target
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	rendered := renderedOf(targets)
	signatures, err := d.signatures(rendered)
	if err != nil {
		return nil, err
	}
	findings := check.Objects(check.Input{
		Set: d.Set, Charts: d.Charts, Rendered: rendered, Signatures: signatures, KubeVersion: around.caps.KubeVersion.Version, Caps: around.caps,
	})
	d.ObjectWarnings = findings.Warnings()
	return targets, findings.Err()
}

// Shown is what the release renders, with the content of Secrets hidden if any
// value was encrypted in its file: Secrets are where those values end.
func (t Target) Shown() (*chart.Rendered, error) {
	if len(t.Overrides.SealedLeaves()) == 0 {
		return t.Rendered, nil
	}
	shown, err := t.Rendered.HideSecrets()
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", t.Key, err)
	}
	return shown, nil
}

// renderedOf is what rules look at. What was not rendered was judged when it was.
func renderedOf(targets []Target) map[fleet.Key]*chart.Rendered {
	rendered := make(map[fleet.Key]*chart.Rendered, len(targets))
	for _, target := range targets {
		if !target.outlined {
			rendered[target.Key] = target.Rendered
		}
	}
	return rendered
}

func newTarget(fleetName string, rel fleet.Release, c *chart.Chart, around surroundings) (Target, error) {
	rendered, err := around.render(rel, c)
	if err != nil {
		return Target{}, fmt.Errorf("%srelease %s: %w", place(rel), rel.Key, rel.Hide(err))
	}
	digest, err := digestFor(rel, c)
	if err != nil {
		return Target{}, err
	}
	return Target{Release: rel, Source: c, Rendered: rendered, FleetName: fleetName, Digest: digest}, nil
}

// digestFor identifies what a release is to be made from.
func digestFor(rel fleet.Release, c *chart.Chart) (Digest, error) {
	values, err := valuesDigest(rel.Overrides.Locked())
	if err != nil {
		return Digest{}, fmt.Errorf("%srelease %s: %w", place(rel), rel.Key, err)
	}
	return Digest{Chart: c.DigestFor(rel.Values.PlainMap()), Values: values}, nil
}

// place is where the file asks for a release, if it does.
func place(rel fleet.Release) string {
	if at := rel.Origin.String(); at != "" {
		return at + ": "
	}
	return ""
}

// valuesDigest identifies values by content; key order does not matter. It
// fits a label value.
func valuesDigest(values map[string]any) (string, error) {
	data, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("values cannot be recorded: %w", err)
	}
	sum := sha256.Sum256(data)
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])), nil
}
