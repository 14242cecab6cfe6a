package rollout

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Bundle collects what a site without a network needs: our charts, the charts
// of the lock, the CRDs and the list of images. Everything must be at hand.
func (d *Desired) Bundle(ctx context.Context, shelf chart.Shelf) (*chart.Bundle, error) {
	targets, err := d.Targets(ctx, chart.OfflineCapabilities())
	if err != nil {
		return nil, err
	}
	b := &chart.Bundle{Fleet: d.Set.Name, Files: map[string][]byte{}}
	if err := addCharts(b, d.Charts, shelf); err != nil {
		return nil, err
	}
	images := map[string]bool{}
	for _, target := range targets {
		if err := addTarget(b, target, images); err != nil {
			return nil, err
		}
	}
	list := slices.Sorted(maps.Keys(images))
	b.Files[chart.BundleImages] = []byte(strings.Join(list, "\n") + "\n")
	for _, image := range list {
		b.Images = append(b.Images, chart.Image{Reference: image, Digest: chart.PinnedDigest(image)})
	}
	return b, nil
}

func addCharts(b *chart.Bundle, charts map[string]*chart.Chart, shelf chart.Shelf) (err error) {
	for _, key := range fleet.ChartKeys {
		ours := charts[key].Bare()
		if b.Files[chart.BundleCharts+ours.FileName()], err = ours.Package(); err != nil {
			return err
		}
	}
	return b.AddLocked(shelf)
}

// addTarget adds the CRDs and images of a release.
func addTarget(b *chart.Bundle, target Target, images map[string]bool) error {
	objects, err := target.Source.CRDs(target.Overrides.PlainMap())
	if err != nil {
		return err
	}
	for _, object := range append(objects, target.Rendered.Objects...) {
		if isCRD(object) {
			b.Files[chart.BundleCRDs+object.Name+".yaml"] = []byte(object.Content + "\n")
		}
	}
	found, err := target.Rendered.Images()
	for _, image := range found {
		images[image] = true
	}
	return err
}
