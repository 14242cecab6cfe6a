package chart

import (
	"slices"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// Part is a dependency of a chart that is on. Those that lie in the chart's own
// sources have its version and are no parts.
type Part struct {
	// Key is where its values are: its alias, or its name.
	Key string
	// Chart is its name; in what Helm recorded, the alias has taken its place.
	Chart   string
	Version string
}

// Parts lists the dependencies that values turn on, as far as they are at hand.
func (c *Chart) Parts(values map[string]any) []Part {
	return partsOf(c.helm, func(d *helmchart.Dependency) bool { return enabled(d, values) })
}

// RecordedParts lists the dependencies of a chart as Helm recorded it: without
// those that were off.
func RecordedParts(c *helmchart.Chart) []Part {
	return partsOf(c, func(*helmchart.Dependency) bool { return true })
}

func partsOf(c *helmchart.Chart, on func(*helmchart.Dependency) bool) (out []Part) {
	for _, d := range c.Metadata.Dependencies {
		i := slices.IndexFunc(c.Dependencies(), func(sub *helmchart.Chart) bool { return sub.Metadata != nil && sub.Name() == d.Name })
		if i >= 0 && !ofSources(d) && on(d) {
			out = append(out, Part{Key: valueKey(d), Chart: d.Name, Version: c.Dependencies()[i].Metadata.Version})
		}
	}
	return out
}

// Pins lists the dependencies that the chart asks for, on or off, at hand or not.
func (c *Chart) Pins() (out []Part) {
	for _, d := range c.helm.Metadata.Dependencies {
		if !ofSources(d) {
			out = append(out, Part{Key: valueKey(d), Chart: d.Name, Version: d.Version})
		}
	}
	return out
}

// ofSources are dependencies that lie beside the chart.
func ofSources(d *helmchart.Dependency) bool { return strings.HasPrefix(d.Repository, "file://") }
