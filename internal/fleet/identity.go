package fleet

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Identify reads of a fleet file what says which fleet it is: its name, where
// its journal is, which releases it names, how many revisions are kept and which
// fields are left to others, on the cluster of a context as Load. What is wrong elsewhere, in values above all, is no
// error: whoever wants to go back or to look must not have to mend it first.
func Identify(files Files, file, context string) (*Fleet, error) {
	data, err := files.Read(file)
	if err != nil {
		return nil, unreadable("fleet file", file, Origin{}, err)
	}
	documents, err := parseDocuments(file, data)
	if err != nil {
		return nil, err
	}
	if len(documents) != 1 {
		_, err := Parse(file, data)
		return nil, err
	}
	if err := checkIdentity(file, documents[0]); err != nil {
		return nil, err
	}
	f, _ := Parse(file, data) // its problems are for Load to tell
	for _, pattern := range f.from {
		found, _ := f.loadPlatforms(files, pattern)
		f.Platforms = append(f.Platforms, found...)
	}
	var known []Platform
	for _, p := range f.Platforms {
		if p.Namespace != "" && dnsLabel.matches(p.Namespace) && helmName.matches(p.Release) {
			known = append(known, p)
		}
	}
	f.Platforms = known
	problems := f.settleCluster(context)
	f.settleJournal()
	return f, problems.orNil()
}

// checkIdentity reports what is wrong with the parts that Identify needs.
func checkIdentity(file string, document *yaml.Node) error {
	d, f := &decoder{file: file}, &Fleet{}
	top := resolveAlias(document)
	if top.Kind != yaml.MappingNode {
		d.fail(top, "the file must be a mapping, found %s", describe(top))
		return d.problems
	}
	named := false
	for key, value := range pairs(top) {
		switch key.Value {
		case "metadata":
			d.metadata(value, f)
			named = true
		case "spec":
			d.identity(value, f)
		}
	}
	if !named {
		d.fail(top, "the file needs metadata.name: it says which fleet this is")
	}
	return d.problems.orNil()
}

func (d *decoder) identity(spec *yaml.Node, f *Fleet) {
	if spec.Kind != yaml.MappingNode {
		return
	}
	for key, value := range pairs(spec) {
		switch key.Value {
		case "clusters":
			d.list(value, "spec.clusters", func(item *yaml.Node, path string) { d.context(item, path, func(*yaml.Node) {}) })
		case "crds":
			d.crds(value, f)
		case "journal":
			d.journal(value, f)
		case "history":
			d.history(value, f)
		case "leaveFields":
			d.leaveFields(value, f)
		}
	}
}

// pairs walks the keys of a mapping with their values.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], resolveAlias(n.Content[i+1])) {
				return
			}
		}
	}
}

// Outline lists the releases that a fleet names, without their values.
func Outline(f *Fleet) *Set {
	r := resolver{fleet: f}
	set, _ := r.outline()
	return set
}

// crdReleases are the CRDs and, before them, what converts their objects.
func (f *Fleet) crdReleases() (out []Release) {
	crds := Release{Key: Key{Namespace: f.CRDs.Namespace.Value, Name: "dynamo-crds"}, Chart: ChartCRDs, Origin: f.CRDs.Namespace.Origin}
	if f.CRDs.Conversion.Value {
		converts := Release{
			Key: Key{Namespace: f.Journal.Namespace.Value, Name: ConversionRelease}, Chart: ChartConversion, Origin: f.CRDs.Conversion.Origin,
		}
		crds.After = []Key{converts.Key}
		out = append(out, converts)
	}
	return append(out, crds)
}

// outline lists the releases, each with the platform that it is of; nil for
// those of the CRDs.
func (r *resolver) outline() (*Set, []*Platform) {
	f := r.fleet
	set, of := &Set{Name: f.Name, Confined: f.Confined()}, []*Platform(nil)
	for _, profile := range f.Profiles {
		set.Profiles = append(set.Profiles, profile.Value)
	}
	if !f.CRDs.Elsewhere {
		set.Releases = append(set.Releases, f.crdReleases()...)
		of = make([]*Platform, len(set.Releases))
	}
	if f.CRDs.Elsewhere && f.CRDs.Conversion.Value {
		r.problems = append(r.problems, Problem{
			Origin:  f.CRDs.Conversion.Origin,
			Message: "spec.crds.conversion is true, but this fleet does not install the CRDs",
			Fix:     "remove it; the fleet that installs them turns it on",
		})
	}
	for i := range f.Platforms {
		p := &f.Platforms[i]
		if p.Release == ConversionRelease {
			r.problems = append(r.problems, Problem{
				Origin:  p.Origin,
				Message: fmt.Sprintf("platform %s/%s is called as the release that converts objects", p.Namespace, p.Release),
				Fix:     "give it another release name",
			})
		}
		set.Releases = append(set.Releases, Release{
			Key: Key{Namespace: p.Namespace, Name: p.Release}, Chart: ChartPlatform, Scope: p.Scope.Value, Serves: r.serves(*p),
			Wave: p.Wave, Origin: p.Origin,
		})
		set.Releases = append(set.Releases, r.chrekReleases(*p)...)
		for len(of) < len(set.Releases) {
			of = append(of, p)
		}
	}
	set.Waves = r.waves()
	return set, of
}
