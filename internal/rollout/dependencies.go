package rollout

import (
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// Dependencies finds third-party charts without a network.
type Dependencies interface {
	// Find returns nil if the chart is not at hand, and an error if it is not signed
	// as it must be.
	Find(chart.Dependency, signature.Policy) (*chart.Chart, error)
}

// Incomplete reports whether charts that the fleet file names are not at hand.
// Nothing but what is missing is known of such a fleet.
func (d *Desired) Incomplete() bool { return len(d.absent) > 0 }

// Named lists the charts that the fleet file names in registries.
func (d *Desired) Named() (named []chart.Dependency) {
	for _, key := range fleet.ChartKeys {
		if c, err := chart.ParseRegistry(d.Fleet.Charts[key].Value); err == nil {
			named = append(named, c)
		}
	}
	return named
}

// Missing lists what is not at hand: the charts that the fleet file names in
// registries; with those, the third-party dependencies that releases turn on.
func (d *Desired) Missing() (missing []chart.Dependency) {
	if d.Incomplete() {
		return d.absent
	}
	for _, key := range fleet.ChartKeys {
		missing = append(missing, d.Wanted(key)...)
	}
	return missing
}

// AirGapped reports whether a release says that its site has no network.
func (d *Desired) AirGapped() bool {
	return slices.ContainsFunc(d.Set.Releases, func(rel fleet.Release) bool {
		on, _ := rel.Values.At("global", "airGapped").Plain().(bool)
		return on
	})
}

// Wanted lists the third-party dependencies that releases of a
// chart turn on and that are not at hand.
func (d *Desired) Wanted(key string) []chart.Dependency {
	var out []chart.Dependency
	for _, rel := range d.Set.Releases {
		if rel.Chart != key {
			continue
		}
		for _, missing := range d.Charts[key].Missing(rel.Values.PlainMap()) {
			if !slices.Contains(out, missing) {
				out = append(out, missing)
			}
		}
	}
	return out
}

// addDependencies gives a chart the dependencies that its releases turn on, as
// far as they are at hand, and reports whether there were any.
func (d *Desired) addDependencies(key string, from Dependencies) (bool, error) {
	var found []*chart.Chart
	for _, wanted := range d.Wanted(key) {
		c, err := from.Find(wanted, d.trusted)
		if err != nil {
			return false, err
		}
		if c != nil {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return false, nil
	}
	with, err := d.Charts[key].With(found)
	if err != nil {
		return false, err
	}
	d.Charts[key] = with
	return true, nil
}
