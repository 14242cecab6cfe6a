package export

import (
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// order lists, for each release, those that must be ready before it. What follows from
// the others is left out.
func (f Fleet) order() map[fleet.Key][]fleet.Key {
	out := map[fleet.Key][]fleet.Key{}
	for _, target := range f.Targets {
		needs := slices.Clone(target.After)
		if len(needs) == 0 && !ofCluster(target) {
			needs = f.before(target.Wave)
		}
		out[target.Key] = needs
	}
	return out
}

// before are the releases that end the wave before the named one or, where it is the
// first, the CRDs.
func (f Fleet) before(wave string) []fleet.Key {
	i := slices.Index(f.Waves, wave)
	var out []fleet.Key
	for _, target := range f.Targets {
		switch {
		case i > 0 && !ofCluster(target) && target.Wave == f.Waves[i-1] && !f.followed(target.Key):
			out = append(out, target.Key)
		case i <= 0 && target.Chart == fleet.ChartCRDs:
			out = append(out, target.Key)
		}
	}
	return out
}

// followed reports whether a release waits for this one by name.
func (f Fleet) followed(key fleet.Key) bool {
	return slices.ContainsFunc(f.Targets, func(t rollout.Target) bool { return slices.Contains(t.After, key) })
}

// ofCluster tells what is in no wave.
func ofCluster(target rollout.Target) bool {
	return target.Chart == fleet.ChartCRDs || target.Chart == fleet.ChartConversion
}

// depths are the places of the releases in the order: 0 for those that wait for nothing.
func (f Fleet) depths() map[fleet.Key]int {
	order, out := f.order(), map[fleet.Key]int{}
	var depth func(key fleet.Key) int
	depth = func(key fleet.Key) int {
		if known, ok := out[key]; ok {
			return known
		}
		deepest := 0
		for _, before := range order[key] {
			deepest = max(deepest, depth(before)+1)
		}
		out[key] = deepest
		return deepest
	}
	for _, target := range f.Targets {
		depth(target.Key)
	}
	return out
}
