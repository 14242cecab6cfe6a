package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Image is one that releases of the fleet use.
type Image struct {
	chart.Image
	// Runs is true where containers of the releases run it. Others are for programs
	// that may start it, or not: a debugger, a profiler.
	Runs bool `json:"runs"`
	// Releases are those that use it, in the order of the fleet file.
	Releases []fleet.Key `json:"releases"`
}

// Images lists, sorted, the images that releases use, as docs/images.md counts
// them, and the places where something else decides on one.
func Images(targets []Target) (list []Image, unknown []string, err error) {
	for _, target := range targets {
		all, err := target.Rendered.Images()
		if err != nil {
			return nil, nil, fmt.Errorf("release %s: %w", target.Key, err)
		}
		run, err := target.Rendered.RunImages()
		if err != nil {
			return nil, nil, fmt.Errorf("release %s: %w", target.Key, err)
		}
		for _, reference := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(all, run)))) {
			at, found := slices.BinarySearchFunc(list, reference, func(i Image, r string) int { return strings.Compare(i.Reference, r) })
			if !found {
				list = slices.Insert(list, at, Image{Image: chart.Image{Reference: reference, Digest: chart.PinnedDigest(reference)}})
			}
			list[at].Runs = list[at].Runs || slices.Contains(run, reference)
			list[at].Releases = append(list[at].Releases, target.Key)
		}
	}
	unknown, err = each(targets, (*chart.Rendered).UnknownImages)
	return list, unknown, err
}
