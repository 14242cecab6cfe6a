package chart

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// Dependency is a sub-chart that a chart asks for.
type Dependency struct {
	Name       string
	Version    string
	Repository string
	// Condition is the path of the value that turns it on, e.g. "nats.enabled".
	// Where several can, it is the one that did, or the last, which has a default.
	Condition string
}

// InRegistry reports whether a chart is named by the address of a registry.
func InRegistry(ref string) bool { return strings.HasPrefix(ref, ociScheme) }

// ParseRegistry reads the address of a chart in a registry, oci://HOST/PATH/NAME:VERSION.
// It is found, locked and kept as a dependency of that name is.
func ParseRegistry(ref string) (Dependency, error) {
	at := strings.LastIndex(ref, "/")
	name, version, _ := strings.Cut(ref[at+1:], ":")
	d := Dependency{Name: name, Version: version, Repository: ref[:max(at, 0)]}
	if err := CheckAddress(ref); err != nil {
		return Dependency{}, err
	}
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v")); err != nil || !nameFormat.MatchString(name) || len(d.Repository) <= len(ociScheme) {
		return Dependency{}, fmt.Errorf("%s is not the address of a chart in a registry; write oci://HOST/PATH/NAME:VERSION with a full version such as 1.0.0, which %s pins by content", ref, LockName)
	}
	return d, nil
}

func (d Dependency) String() string {
	return fmt.Sprintf("%s %s from %s", d.Name, d.Version, withoutUser(d.Repository))
}

// Missing lists the dependencies that the values turn on but that are not at
// hand. Values are the effective ones, chart defaults included.
func (c *Chart) Missing(values map[string]any) []Dependency {
	var out []Dependency
	for _, d := range c.helm.Metadata.Dependencies {
		on, condition := switchOf(d, values)
		if on && !atHand(c.helm, d) {
			missing := describe(d)
			missing.Condition = condition
			out = append(out, missing)
		}
	}
	return out
}

// Switch is a value that turns a sub-chart on or off.
type Switch struct {
	// Condition is the path of the value, Values that of the sub-chart's own.
	Condition, Values string
	On                bool
}

// Switches lists what turns the chart's dependencies on, with the values given.
func (c *Chart) Switches(values map[string]any) []Switch {
	var out []Switch
	for _, d := range c.helm.Metadata.Dependencies {
		for condition := range strings.SplitSeq(d.Condition, ",") {
			if condition = strings.TrimSpace(condition); condition != "" {
				out = append(out, Switch{Condition: condition, Values: valueKey(d), On: enabled(d, values)})
			}
		}
	}
	return out
}

// Mentions reports whether a template has the last key of a path of values as a
// word: in the chart, or in the sub-chart that the path leads into.
func (c *Chart) Mentions(path []string) bool {
	word := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(path[len(path)-1]) + `($|[^\w-])`)
	found := false
	walk(c.helm, nil, func(sub *helmchart.Chart, at []string) {
		if len(at) > len(path) || !slices.Equal(at, path[:len(at)]) {
			return
		}
		for _, template := range sub.Templates {
			found = found || word.Match(template.Data)
		}
	})
	return found
}

// Versioned is the chart with another version for it and all its sub-charts.
func (c *Chart) Versioned(version string) *Chart {
	out := *c
	out.helm = clone(c.helm)
	walk(out.helm, nil, func(sub *helmchart.Chart, _ []string) {
		sub.Metadata.Version, sub.Metadata.AppVersion = version, version
		for _, d := range sub.Metadata.Dependencies {
			if atHand(sub, d) { // others keep the version at which they can be had
				d.Version = version
			}
		}
	})
	return &out
}

func describe(d *helmchart.Dependency) Dependency {
	paths := conditions(d)
	return Dependency{Name: d.Name, Version: d.Version, Repository: d.Repository, Condition: paths[len(paths)-1]}
}

func conditions(d *helmchart.Dependency) []string {
	paths := strings.Split(d.Condition, ",")
	for i := range paths {
		paths[i] = strings.TrimSpace(paths[i])
	}
	return paths
}

// Helm returns a copy for Helm to work on. Dependencies that are not at hand
// are left out, so that one that is off never has to be fetched.
func (c *Chart) Helm() *helmchart.Chart {
	out := clone(c.helm)
	kept := out.Metadata.Dependencies[:0]
	for _, d := range out.Metadata.Dependencies {
		if atHand(c.helm, d) {
			kept = append(kept, d)
		}
	}
	if len(kept) < len(out.Metadata.Dependencies) {
		out.Lock = nil // it would not fit
	}
	out.Metadata.Dependencies = kept
	return out
}

func atHand(c *helmchart.Chart, d *helmchart.Dependency) bool {
	for _, sub := range c.Dependencies() {
		if sub.Name() == d.Name && util.IsCompatibleRange(d.Version, sub.Metadata.Version) {
			return true
		}
	}
	return false
}

func enabled(d *helmchart.Dependency, values map[string]any) bool {
	on, _ := switchOf(d, values)
	return on
}

// switchOf follows Helm's rule: the first condition that names a boolean
// decides, then tags, and a dependency without either is on.
func switchOf(d *helmchart.Dependency, values map[string]any) (on bool, condition string) {
	paths := conditions(d)
	for _, path := range paths {
		if on, ok := lookup(values, strings.Split(path, ".")).(bool); ok {
			return on, path
		}
	}
	return enabledByTags(d, values), paths[len(paths)-1]
}

func enabledByTags(d *helmchart.Dependency, values map[string]any) bool {
	anyOff := false
	for _, tag := range d.Tags {
		on, ok := lookup(values, []string{"tags", tag}).(bool)
		if ok && on {
			return true
		}
		anyOff = anyOff || ok
	}
	return !anyOff
}

func lookup(values map[string]any, path []string) any {
	var v any = values
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}
