package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// upgrades compares the versions that Helm recorded with those of the chart that the
// release shall have. A dependency that comes or goes has no way to go.
func upgrades(stored *Stored, rel fleet.Release, wanted *chart.Chart) []check.Upgrade {
	if wanted == nil {
		return nil
	}
	return between(rel.Key, stored, wanted.Name(), wanted.Version(), wanted.Parts(rel.Values.PlainMap()))
}

func between(key fleet.Key, stored *Stored, name, version string, parts []chart.Part) (out []check.Upgrade) {
	if stored == nil {
		return nil
	}
	from := stored.Version
	if stored.Chart != name {
		from = stored.Chart + " " + stored.Version
	}
	out = append(out, check.Upgrade{Release: key, Chart: name, From: from, To: version})
	for _, part := range parts {
		i := slices.IndexFunc(stored.Parts, func(was chart.Part) bool { return was.Key == part.Key })
		if i >= 0 {
			out = append(out, check.Upgrade{Release: key, Part: part.Key, Chart: part.Chart, From: stored.Parts[i].Version, To: part.Version})
		}
	}
	return out
}

// judgeUpgrades adds what the rules say of the versions that steps go from and to.
func (p *Plan) judgeUpgrades() {
	p.Findings = append(p.Findings, check.Upgrades(p.upgrades())...)
}

// upgrades of the releases that are not left.
func (p *Plan) upgrades() (all []check.Upgrade) {
	for _, step := range p.Steps {
		if step.Left == "" {
			all = append(all, step.Upgrades...)
		}
	}
	return all
}

// noWay lists the ways that are blocked.
func (p *Plan) noWay() []string {
	if err := p.Findings.Err(); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// Ways are the versions that releases go from and to, as the records judge them.
type Ways struct {
	Ways []Way `json:"ways"`
	// New are releases that are not installed, and go from nothing.
	New []fleet.Key `json:"new,omitempty"`
}

// Way is one chart, or dependency, of one release.
type Way struct {
	check.Upgrade
	transition.Judgement
}

// Fine reports whether all ways are safe, or no way at all.
func (w *Ways) Fine() bool {
	return !slices.ContainsFunc(w.Ways, func(way Way) bool { return !way.Verdict.Fine() })
}

func waysOf(upgrades []check.Upgrade) (out []Way) {
	for _, u := range upgrades {
		out = append(out, Way{Upgrade: u, Judgement: u.Judge()})
	}
	return out
}

// unread is the way of a release whose record cannot be read, or believed. Whoever may
// write into its namespace made it so, which keeps nobody from hearing of the others.
func unread(key fleet.Key, chart string, err error) []Way {
	because := "what is installed cannot be told: " + err.Error()
	return []Way{{Upgrade: check.Upgrade{Release: key, Chart: chart}, Judgement: transition.Judgement{Verdict: transition.Unknown, Because: because}}}
}

// Ways judges the ways of a saved plan: of releases that change.
func (s *SavedPlan) Ways() *Ways {
	return &Ways{Ways: slices.Concat([]Way{}, waysOf(s.Plan.upgrades()))}
}

// Recorded reads what Helm recorded of all releases.
type Recorded interface {
	Inventory
	Records
}

// WaysTo judges the ways from what is installed to what the fleet wants. A release
// whose record says that it has the very chart is not read.
func WaysTo(ctx context.Context, d *Desired, releases Recorded) (*Ways, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	out, found := &Ways{Ways: []Way{}}, make([][]Way, len(d.Set.Releases))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i, rel := range d.Set.Releases {
		record, exists := records[rel.Key]
		if !exists || record.Status.Leaving() {
			out.New = append(out.New, rel.Key)
			continue
		}
		wanted := d.Charts[rel.Chart]
		if record.Digest.Chart != "" && record.Digest.Chart == wanted.DigestFor(rel.Values.PlainMap()) {
			same := &Stored{Chart: wanted.Name(), Version: wanted.Version(), Parts: wanted.Parts(rel.Values.PlainMap())}
			found[i] = waysOf(upgrades(same, rel, wanted))
			continue
		}
		group.Go(func() error {
			stored, err := releases.Stored(gctx, rel.Key, 0)
			if err != nil {
				found[i] = unread(rel.Key, wanted.Name(), err)
				return gctx.Err()
			}
			found[i] = waysOf(upgrades(stored, rel, wanted))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out.Ways = append(out.Ways, slices.Concat(found...)...)
	return out, nil
}

// WaysToCharts judges the ways from all releases of some charts that the cluster has,
// by name, to these charts, with the dependencies that they ask for.
func WaysToCharts(ctx context.Context, charts map[string]*chart.Chart, releases Recorded) (*Ways, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	keys := slices.SortedFunc(maps.Keys(records), func(a, b fleet.Key) int { return cmp.Compare(a.String(), b.String()) })
	found := make([][]Way, len(keys))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i, key := range keys {
		record := records[key]
		// What another program wrote has no label that names its chart.
		ours := record.Chart == "" || slices.ContainsFunc(slices.Collect(maps.Keys(charts)), func(name string) bool { return strings.HasPrefix(record.Chart, name+"-") })
		if !ours || record.Status.Leaving() {
			continue
		}
		group.Go(func() error {
			stored, err := releases.Stored(gctx, key, 0)
			switch {
			case err != nil:
				found[i] = unread(key, cmp.Or(record.Chart, "a chart without a name"), err)
				return gctx.Err()
			case stored == nil || charts[stored.Chart] == nil:
				return nil
			}
			wanted := charts[stored.Chart]
			found[i] = waysOf(between(key, stored, wanted.Name(), wanted.Version(), wanted.Pins()))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &Ways{Ways: slices.Concat([]Way{}, slices.Concat(found...))}, nil
}
