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
		all, err := target.Rendered.AllImages()
		if err != nil {
			return nil, nil, fmt.Errorf("release %s: %w", target.Key, err)
		}
		run, err := target.Rendered.RunImages()
		if err != nil {
			return nil, nil, fmt.Errorf("release %s: %w", target.Key, err)
		}
		for _, reference := range all {
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

// Images lists the images of targets, with the digests of those whose signatures were
// verified.
func (d *Desired) Images(targets []Target) (list []Image, unknown []string, err error) {
	list, unknown, err = Images(targets)
	if len(d.trusted) == 0 || d.lock == nil {
		return list, unknown, err
	}
	for i := range list {
		if locked, found := d.lock.FindImage(list[i].Reference); found {
			list[i].Digest = locked.Digest
		}
	}
	return list, unknown, err
}

// signatures says, of each image that must be signed, why it is not known to be.
func (d *Desired) signatures(rendered map[fleet.Key]*chart.Rendered) (map[string]string, error) {
	if len(d.trusted) == 0 || d.lock == nil {
		return nil, nil
	}
	out := map[string]string{}
	for key, of := range rendered {
		images, err := of.AllImages()
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", key, err)
		}
		for _, image := range images {
			if _, known := out[image]; known {
				continue
			}
			asked, why := d.lock.VerifyImage(image, d.trusted)
			switch {
			case asked && why != nil:
				out[image] = why.Error()
			case asked:
				out[image] = ""
			}
		}
	}
	return out, nil
}
