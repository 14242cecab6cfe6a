package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// APIVersion and FileKind identify a fleet file.
const (
	APIVersion = "wheelhouse.dev/v1alpha1"
	FileKind   = "Fleet"
)

// The charts that a fleet steers, as they are named in the fleet file.
const (
	ChartConversion = "conversion"
	ChartCRDs       = "crds"
	ChartPlatform   = "platform"
	ChartChrek      = "chrek"
)

// ChartKeys lists the names under which values may be given.
var ChartKeys = []string{ChartConversion, ChartCRDs, ChartPlatform, ChartChrek}

// ConversionRelease is the name of the release that converts objects of the CRDs.
const ConversionRelease = "dynamo-conversion"

// Scopes of an operator.
const (
	ScopeCluster   = "cluster"
	ScopeNamespace = "namespace"
)

// DefaultHistory is how many revisions of a release Helm keeps.
const DefaultHistory = 10

// DefaultRelease is the release name of a platform that names none.
const DefaultRelease = "dynamo-platform"

// Fleet is one fleet file as written, with the place of everything that later
// messages point at.
type Fleet struct {
	Path     string
	Name     string
	Profiles []Located[string]
	Charts   map[string]Located[string]
	// ChartMirrors maps the start of repository URLs to where their charts are
	// fetched from instead.
	ChartMirrors map[string]Located[string]
	// Signatures says what must be signed, and by which keys.
	Signatures []Signature
	// History is how many revisions Helm keeps of each release; default 10.
	History int
	// LeaveFields are left to other programs once those own them.
	LeaveFields []FieldRef
	Shared      Shared
	CRDs        CRDs
	Journal     Journal
	// Clusters are those that the fleet runs on, as contexts of a kubeconfig; none:
	// whichever the kubeconfig is for.
	Clusters []Cluster
	// Cluster is the one of them that this fleet was read for.
	Cluster Cluster
	Values  []ValuesSource
	// Waves is the declared order of waves; empty: that of their first platforms.
	Waves     []Located[string]
	Platforms []Platform
	// from lists the globs of platformsFrom, until Load has followed them.
	from []Located[string]
	// definitionsAlone: the file says that there are no platforms.
	definitionsAlone bool
}

// Located is a value with the place that set it.
type Located[T any] struct {
	Value  T
	Origin Origin
}

// Signature asks for a key's signature on what comes from a place in a registry.
type Signature struct {
	// For is the start of references, HOST or HOST/PATH.
	For Located[string]
	// Key is a file with a public key, relative to the fleet file; PEM is its content.
	Key Located[string]
	PEM []byte
}

// Shared are facts that several charts must agree on.
type Shared struct {
	// Registry replaces the registry of every image, for mirrors.
	Registry *Located[string]
	// ImagePullSecrets names Secrets that exist in every platform's namespace.
	ImagePullSecrets *Located[[]string]
	// Checkpoint holds for every platform that does not say otherwise.
	Checkpoint Checkpoint
}

// CRDs says where the record of the CRD release lives, and whether there is one.
type CRDs struct {
	// Elsewhere says that another fleet, or somebody else, installs the CRDs.
	Elsewhere bool
	// Namespace holds the release record; default "default".
	Namespace Located[string]
	// Conversion says whether objects can be written in every version of their
	// API, for which a program beside the journal converts them.
	Conversion Located[bool]
}

// DefaultJournal is the namespace of the journal of a fleet that names none.
const DefaultJournal = "wheelhouse-system"

// Journal says where the fleet's lock and history live. Whoever may write there
// is believed, so tenants must not, but for a fleet that keeps to its namespaces.
type Journal struct {
	// Namespace is created when it is missing; default DefaultJournal and, of a
	// fleet that has one namespace and writes nothing elsewhere, that namespace.
	Namespace Located[string]
}

// ValuesSource is a values file or inline values; both are keyed by chart.
type ValuesSource struct {
	// File is relative to the file that names it; empty for inline values.
	File   string
	Inline *Value
	Origin Origin
}

// Cluster is one that the fleet runs on.
type Cluster struct {
	// Context names it in a kubeconfig.
	Context Located[string]
	// Values hold for all of its platforms, above those of the fleet.
	Values []ValuesSource
}

// Platform is one installation of the platform chart.
type Platform struct {
	Namespace string
	// Clusters are the contexts of the clusters that it runs on; none: all.
	Clusters []Located[string]
	// Serves is the namespace whose graphs a restricted platform serves; empty:
	// its own.
	Serves Located[string]
	// Release is the Helm release name, default "dynamo-platform".
	Release string
	// Scope is "namespace" (default) or "cluster".
	Scope Located[string]
	// Wave groups platforms for staged rollouts; empty: the last wave.
	Wave       string
	Checkpoint Checkpoint
	Values     []ValuesSource
	Origin     Origin
}

// Files is how the package reads: paths use the host's separators.
type Files interface {
	// Read returns a file's content.
	Read(path string) ([]byte, error)
	// Glob lists the files that match a pattern, in order.
	Glob(pattern string) ([]string, error)
}

// Load reads a fleet file and every platform file that it names, for the cluster of
// a context: what runs on others is left out. Where the file names one cluster or
// none, the context may be empty. Errors are Problems, with file:line:column.
func Load(files Files, file, context string) (*Fleet, error) {
	data, err := files.Read(file)
	if err != nil {
		return nil, unreadable("fleet file", file, Origin{}, err)
	}
	f, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	var problems Problems
	for _, pattern := range f.from {
		found, err := f.loadPlatforms(files, pattern)
		f.Platforms = append(f.Platforms, found...)
		problems = appendProblems(problems, err)
	}
	problems = appendProblems(problems, f.readKeys(files))
	if len(problems) == 0 && len(f.Platforms) == 0 && (!f.definitionsAlone || f.CRDs.Elsewhere) {
		problems = append(problems, Problem{Origin: Origin{File: file, Line: 1, Column: 1},
			Message: "the fleet has no platforms", Fix: "list at least one under spec.platforms; a fleet of the custom resource definitions alone says platforms: []"})
	}
	problems = append(problems, f.settleCluster(context)...)
	f.settleJournal()
	return f, problems.orNil()
}

func (f *Fleet) readKeys(files Files) error {
	var problems Problems
	for i := range f.Signatures {
		key := &f.Signatures[i]
		data, err := files.Read(f.Resolve(key.Key.Value))
		if err != nil {
			problems = appendProblems(problems, unreadable("public key", f.Resolve(key.Key.Value), key.Key.Origin, err))
		}
		key.PEM = data
	}
	return problems.orNil()
}

func (f *Fleet) loadPlatforms(files Files, pattern Located[string]) ([]Platform, error) {
	matches, err := files.Glob(f.Resolve(pattern.Value))
	if err != nil {
		return nil, Problems{{Origin: pattern.Origin, Message: fmt.Sprintf("bad pattern %q: %v", pattern.Value, err)}}
	}
	if len(matches) == 0 {
		return nil, Problems{{Origin: pattern.Origin, Message: fmt.Sprintf("no file matches %q", pattern.Value)}}
	}
	var out []Platform
	var problems Problems
	for _, match := range matches {
		data, err := files.Read(match)
		if err != nil {
			problems = appendProblems(problems, unreadable("platform file", match, pattern.Origin, err))
			continue
		}
		platforms, err := parsePlatforms(match, data)
		out = append(out, platforms...)
		problems = appendProblems(problems, err)
	}
	return out, problems.orNil()
}

// Resolve makes a path relative to the fleet file absolute or relative to the
// working directory, as the fleet file's own path is.
func (f *Fleet) Resolve(p string) string { return beside(f.Path, p) }

func beside(file, p string) string {
	if filepath.IsAbs(p) || path.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(file), p)
}

// unreadable says which file is missing and where it was asked for.
func unreadable(what, file string, asked Origin, err error) error {
	reason := err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		reason = "no such file"
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) && !errors.Is(err, fs.ErrNotExist) {
		reason = pathError.Err.Error()
	}
	p := Problem{Origin: asked, Message: fmt.Sprintf("cannot read %s %s: %s", what, file, reason)}
	if what == "fleet file" && errors.Is(err, fs.ErrNotExist) {
		p.Fix = "name it with -f, or write one with `wheelhouse init`"
	}
	return Problems{p}
}

func appendProblems(problems Problems, err error) Problems {
	if err == nil {
		return problems
	}
	var more Problems
	if errors.As(err, &more) {
		return append(problems, more...)
	}
	return append(problems, Problem{Message: err.Error()})
}

// isFile tells a path from the name of a shipped profile.
func isFile(profile string) bool {
	return strings.ContainsAny(profile, `/\`) || strings.HasSuffix(profile, ".yaml") || strings.HasSuffix(profile, ".yml")
}
