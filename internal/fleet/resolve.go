package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Set is a fleet resolved: the releases that should run, in the order in which
// the file names them, CRDs first.
type Set struct {
	Name     string
	Releases []Release
	// Waves are the waves of the platforms, in the order in which they are rolled
	// out; the last is empty if some platforms name none. Nil if no platform does.
	Waves []string
	// Profiles are the profiles of the fleet, as the file names them.
	Profiles []string
	// Confined are the namespaces that the fleet keeps to; nil if to none.
	Confined []string
}

// Key identifies a Helm release within a cluster.
type Key struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Release is one Helm release that should run.
type Release struct {
	Key
	// Chart is the chart's key in the fleet file: "crds", "platform" or "chrek".
	Chart string
	// Scope is the operator's scope for a platform, empty otherwise.
	Scope string
	// Serves is the namespace whose graphs a restricted platform serves, which may
	// be another one than its own; empty for a cluster-wide platform and otherwise.
	Serves string
	Wave   string
	// After lists the releases that must be ready before this one is applied,
	// besides the CRDs.
	After []Key
	// Overrides is what Helm is given: every layer but the chart's defaults.
	Overrides *Value
	// Values is what templates see, with the provenance of every leaf.
	Values *Value
	// Origin is where the fleet file asks for this release.
	Origin Origin
}

// Namespaces are those that the release has objects in.
func (r Release) Namespaces() []string {
	if r.Serves == "" || r.Serves == r.Namespace {
		return []string{r.Namespace}
	}
	return []string{r.Namespace, r.Serves}
}

// Hide is an error of the release without what was encrypted.
func (r Release) Hide(err error) error {
	if text := err.Error(); r.Overrides.HideSealed(text) != text {
		return errors.New(r.Overrides.HideSealed(text))
	}
	return err
}

// Input is what Resolve needs besides the fleet file.
type Input struct {
	Files Files
	// Opener decrypts values files; nil: an encrypted one is a problem.
	Opener Opener
	// Profiles holds the shipped profiles, as NAME.yaml.
	Profiles fs.FS
	// Defaults are the default values of each chart, by chart key.
	Defaults map[string]*Value
	// Set are the values above all files.
	Set Flags
}

// Resolve layers the values of every release: chart defaults, profiles in
// order, shared facts, fleet values, the platform's own values, --set. Errors
// are Problems.
func Resolve(f *Fleet, in Input) (*Set, error) {
	r := resolver{fleet: f, Input: in, read: map[string]*Value{}}
	shared := r.common()
	flags := r.setFlags()

	set, of := r.outline()
	var own, base *Value
	for i, rel := range set.Releases {
		p := of[i]
		switch {
		case p == nil:
			own, base = nil, shared.plain
		case i == 0 || p != of[i-1]:
			own, base = r.sources(p.Values, p.Origin.File, LayerPlatform), shared.of(*p)
		}
		layers := base
		if p != nil {
			layers = Merge(agentFact(*p, rel), base)
		}
		set.Releases[i] = r.release(rel, layers, own, flags)
	}
	r.refuseTwins(set)
	return set, r.problems.orNil()
}

// Platforms returns the platform releases of the set.
func (s *Set) Platforms() []Release {
	return slices.DeleteFunc(slices.Clone(s.Releases), func(r Release) bool { return r.Chart != ChartPlatform })
}

type resolver struct {
	fleet *Fleet
	Input
	// read keeps each values file, so that a file named by a hundred tenants
	// is read once.
	read     map[string]*Value
	problems Problems
}

// release folds the layers above the chart's defaults. base is keyed by chart,
// as are own and flags.
func (r *resolver) release(rel Release, base, own, flags *Value) Release {
	rel.Overrides = MergeAll(
		NewMap(rel.Origin),
		base.Field(rel.Chart), own.Field(rel.Chart), flags.Field(rel.Chart),
	)
	effective := Effective(r.Defaults[rel.Chart], rel.Overrides)
	if told := Merge(r.certificateFact(rel, effective), r.conversionFact(rel)); told != nil {
		rel.Overrides = Merge(told, rel.Overrides)
		effective = Effective(r.Defaults[rel.Chart], rel.Overrides)
	}
	rel.Values = passGlobal(effective)
	return rel
}

// certificateKey tells the operator chart that the certificate of a restricted
// operator's webhooks is looked after.
var certificateKey = []string{"dynamo-operator", "webhook", "certificateSecret", "wheelhouse"}

// ManagerFacts are the paths of values by which a chart is told that the manager looks
// after a certificate. Whoever installs it without the manager must not say so.
func ManagerFacts(chart string) [][]string {
	switch chart {
	case ChartPlatform:
		return [][]string{certificateKey}
	case ChartCRDs:
		return [][]string{conversionKey}
	default:
		return nil
	}
}

// conversionKey tells the CRDs that the certificate of what converts is looked after.
var conversionKey = []string{"conversion", "wheelhouse"}

// certificateFact says so where there are such webhooks, and the chart knows of
// it; nil elsewhere.
func (r *resolver) certificateFact(rel Release, effective *Value) *Value {
	on := effective.At("dynamo-operator", "webhook", "enabled")
	if rel.Chart != ChartPlatform || rel.Scope != ScopeNamespace || r.Defaults[rel.Chart].At(certificateKey...) == nil || on == nil || on.Plain() != true {
		return nil
	}
	return NewMap(rel.Origin).Put(fact(true, on.Origin), certificateKey...)
}

// conversionFact tells the CRDs who converts their objects; nil elsewhere.
func (r *resolver) conversionFact(rel Release) *Value {
	if rel.Chart != ChartCRDs || len(rel.After) == 0 {
		return nil
	}
	if r.Defaults[rel.Chart].At("conversion") == nil {
		r.problems = append(r.problems, Problem{
			Origin:  r.fleet.CRDs.Conversion.Origin,
			Message: "spec.crds.conversion is true, but the chart of the CRDs knows no value conversion: it serves one version alone",
			Fix:     "take a chart that serves both, or set spec.crds.conversion to false",
		})
		return nil
	}
	out, origin := NewMap(rel.Origin), r.fleet.CRDs.Conversion.Origin
	for _, said := range []struct {
		plain any
		path  []string
	}{
		{true, []string{"conversion", "enabled"}},
		{true, conversionKey},
		{rel.After[0].Namespace, []string{"conversion", "service", "namespace"}},
		{rel.After[0].Name, []string{"conversion", "service", "name"}},
	} {
		out = out.Put(fact(said.plain, origin), said.path...)
	}
	return out
}

// common are the layers above the charts' defaults that releases share:
// profiles, shared facts, fleet values.
type common struct {
	fleet *Fleet
	// plain says nothing about checkpoints, for where nothing is prepared for them.
	plain, prepared *Value
}

func (r *resolver) common() common {
	profiles := NewMap(Origin{File: r.fleet.Path})
	for _, profile := range r.fleet.Profiles {
		profiles = Merge(profiles, r.profile(profile))
	}
	facts := sharedFacts(r.fleet.Shared)
	values := Merge(r.sources(r.fleet.Values, r.fleet.Path, LayerFleet), r.sources(r.fleet.Cluster.Values, r.fleet.Path, LayerCluster))
	return common{
		fleet:    r.fleet,
		plain:    MergeAll(profiles, facts, values),
		prepared: MergeAll(profiles, facts, r.fleet.Shared.Checkpoint.facts(), values),
	}
}

// of adds what a platform says besides its values.
func (c common) of(p Platform) *Value {
	if prepared, _ := c.fleet.prepares(p); prepared {
		return MergeAll(checkpointFact(p), c.prepared, scopeFact(p), p.Checkpoint.facts())
	}
	return Merge(c.plain, scopeFact(p))
}

func (r *resolver) profile(name Located[string]) *Value {
	if isFile(name.Value) {
		return r.file(ValuesSource{File: name.Value, Origin: name.Origin}, r.fleet.Path, LayerProfile)
	}
	data, err := fs.ReadFile(r.Profiles, name.Value+".yaml")
	if err != nil {
		known := profileNames(r.Profiles)
		p := Problem{Origin: name.Origin, Message: fmt.Sprintf("unknown profile %q", name.Value), Fix: "shipped profiles: " + join(known)}
		if meant := spelling.Closest(name.Value, known); meant != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", meant)
		}
		r.problems = append(r.problems, p)
		return nil
	}
	return r.parse(shippedProfile+name.Value, LayerProfile, data)
}

func profileNames(profiles fs.FS) []string {
	entries, err := fs.Glob(profiles, "*.yaml")
	if err != nil {
		return nil
	}
	for i, entry := range entries {
		entries[i] = strings.TrimSuffix(entry, ".yaml")
	}
	return entries
}

// sources merges values files and inline values, in order.
func (r *resolver) sources(sources []ValuesSource, asking string, layer Layer) *Value {
	var out *Value
	for _, source := range sources {
		if source.Inline != nil {
			out = Merge(out, source.Inline)
		} else if source.File != "" {
			out = Merge(out, r.file(source, asking, layer))
		}
	}
	return out
}

func (r *resolver) file(source ValuesSource, asking string, layer Layer) *Value {
	path := beside(asking, source.File)
	id := string(layer) + ":" + path
	if v, ok := r.read[id]; ok {
		return v
	}
	data, err := r.Files.Read(path)
	if err != nil {
		r.problems = appendProblems(r.problems, unreadable("values file", path, source.Origin, err))
		return nil
	}
	r.read[id] = r.parse(path, layer, data)
	return r.read[id]
}

// parse reads values that are keyed by chart.
func (r *resolver) parse(name string, layer Layer, data []byte) *Value {
	v, err := r.values(name, layer, data)
	if err != nil {
		r.problems = appendProblems(r.problems, err)
		return nil
	}
	r.problems = append(r.problems, unknownCharts(v)...)
	return v
}

// values is ParseValues for a file that SOPS may have encrypted.
func (r *resolver) values(name string, layer Layer, data []byte) (*Value, error) {
	documents, err := parseDocuments(name, data)
	if err != nil {
		return nil, err
	}
	if !isEncrypted(documents) {
		return mergeDocuments(name, layer, documents, nil)
	}
	if r.Opener == nil {
		return nil, Problems{{Origin: Origin{File: name, Line: 1, Column: 1}, Message: "the file is encrypted, and nothing here decrypts it"}}
	}
	sealed, err := r.Opener.Open(name, data, documents)
	if err != nil {
		return nil, err
	}
	return mergeDocuments(name, layer, documents, sealed)
}

// sharedFacts turns each fact into the keys by which the charts know it. NATS
// reads its own, below global.image.
func sharedFacts(s Shared) *Value {
	out := NewMap(Origin{Layer: LayerShared})
	everywhere := func(plain any, origin Origin, path ...string) {
		for _, key := range []string{ChartConversion, ChartPlatform, ChartChrek} {
			out = out.Put(fact(plain, origin), append([]string{key}, path...)...)
		}
	}
	if s.Registry != nil {
		everywhere(s.Registry.Value, s.Registry.Origin, "global", "imageRegistry")
		out = out.Put(fact(s.Registry.Value, s.Registry.Origin), ChartPlatform, "global", "image", "registry")
	}
	if s.ImagePullSecrets != nil {
		secrets, names := make([]any, len(s.ImagePullSecrets.Value)), make([]any, len(s.ImagePullSecrets.Value))
		for i, name := range s.ImagePullSecrets.Value {
			secrets[i], names[i] = map[string]any{"name": name}, name
		}
		everywhere(secrets, s.ImagePullSecrets.Origin, "global", "imagePullSecrets")
		out = out.Put(fact(names, s.ImagePullSecrets.Origin), ChartPlatform, "global", "image", "pullSecretNames")
	}
	return out
}

// serves is the namespace of a platform's graphs.
func (r *resolver) serves(p Platform) string {
	switch {
	case p.Scope.Value == ScopeNamespace:
		return cmp.Or(p.Serves.Value, p.Namespace)
	case p.Serves.Value != "":
		r.problems = append(r.problems, Problem{
			Origin:  p.Serves.Origin,
			Message: fmt.Sprintf("platform %s/%s has scope: cluster and serves every namespace, not %s alone", p.Namespace, p.Release, p.Serves.Value),
			Fix:     "remove serves, or set scope: namespace",
		})
	}
	return ""
}

// scopeFact tells the operator chart what a platform's scope is.
func scopeFact(p Platform) *Value {
	out := NewMap(p.Origin)
	put := func(plain any, origin Origin, path ...string) {
		out = out.Put(fact(plain, origin), append([]string{ChartPlatform, "dynamo-operator"}, path...)...)
	}
	restricted := p.Scope.Value == ScopeNamespace
	put(restricted, p.Scope.Origin, "namespaceRestriction", "enabled")
	if restricted && p.Serves.Value != "" {
		put(p.Serves.Value, p.Serves.Origin, "namespaceRestriction", "targetNamespace")
	}
	return out
}

// livesApart: a restricted platform that serves another namespace than its own,
// where whoever edits that one is not.
func (p Platform) livesApart() bool {
	return p.Scope.Value == ScopeNamespace && cmp.Or(p.Serves.Value, p.Namespace) != p.Namespace
}

// agentFact turns the engine of an agent on where no tenant can run programs in its
// pods, and keeps an agent from the nodes' seccomp profiles where they can. Every
// layer may say otherwise; nil elsewhere.
func agentFact(p Platform, rel Release) *Value {
	if rel.Chart != ChartChrek {
		return nil
	}
	out := NewMap(rel.Origin)
	switch {
	case rel.Namespace == p.Namespace && p.livesApart():
		out = out.Put(fact(true, rel.Origin), ChartChrek, "engine", "enabled")
		return out.Put(fact(p.Serves.Value, p.Serves.Origin), ChartChrek, "namespaceRestriction", "targetNamespace")
	case rel.Namespace == p.Namespace && p.Scope.Value == ScopeCluster:
		return nil
	}
	return out.Put(fact(false, rel.Origin), ChartChrek, "seccomp", "deploy")
}

// blockIOURing is the profile that the agent puts on the nodes.
const blockIOURing = "profiles/block-iouring.json"

// checkpointFact lets the graphs of a platform use checkpoints where its agent has
// the engine, which also puts the profile on the nodes; nil elsewhere.
func checkpointFact(p Platform) *Value {
	if !p.livesApart() {
		return nil
	}
	out := NewMap(p.Origin).Put(fact(true, p.Origin), ChartPlatform, "dynamo-operator", "checkpoint", "enabled")
	return out.Put(fact(blockIOURing, p.Origin), ChartPlatform, "dynamo-operator", "checkpoint", "seccompProfile")
}

func fact(plain any, origin Origin) *Value {
	origin.Layer = LayerShared
	return fromPlain(plain, origin)
}

// fromPlain gives every node of a plain value the same origin.
func fromPlain(plain any, origin Origin) *Value {
	switch p := plain.(type) {
	case map[string]any:
		out := NewMap(origin)
		for key, field := range p {
			out.Fields[key] = fromPlain(field, origin)
		}
		return out
	case []any:
		out := &Value{Kind: List, Origin: origin}
		for _, item := range p {
			out.Items = append(out.Items, fromPlain(item, origin))
		}
		return out
	default:
		return NewScalar(p, origin)
	}
}
