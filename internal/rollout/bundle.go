package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
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
	for _, target := range targets {
		if err := addDefinitions(b, target); err != nil {
			return nil, err
		}
	}
	list, err := images(targets)
	if err != nil {
		return nil, err
	}
	b.Files[chart.BundleImages] = []byte(strings.Join(list, "\n") + "\n")
	unknown, err := unknownImages(targets)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		b.Files[chart.BundleUnknownImages] = []byte(strings.Join(unknown, "\n") + "\n")
	}
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

// addDefinitions adds the CRDs of a release.
func addDefinitions(b *chart.Bundle, target Target) error {
	objects, err := target.Source.CRDs(target.Overrides.PlainMap())
	if err != nil {
		return err
	}
	for _, object := range append(objects, target.Rendered.Objects...) {
		if isCRD(object) {
			b.Files[chart.BundleCRDs+object.Name+".yaml"] = []byte(object.Content)
		}
	}
	return nil
}

// images lists what all releases run, sorted.
func images(targets []Target) ([]string, error) { return each(targets, (*chart.Rendered).Images) }

// unknownImages names the places where something else decides on an image.
func unknownImages(targets []Target) ([]string, error) {
	return each(targets, (*chart.Rendered).UnknownImages)
}

func each(targets []Target, list func(*chart.Rendered) ([]string, error)) ([]string, error) {
	all := map[string]bool{}
	for _, target := range targets {
		found, err := list(target.Rendered)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", target.Key, err)
		}
		for _, one := range found {
			all[one] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// Registries says, by image, why a registry does not give it.
type Registries interface {
	MissingImages(ctx context.Context, images []string) (map[string]string, error)
}

// AskRegistries runs the rules on what registries have of the images.
func (d *Desired) AskRegistries(ctx context.Context, targets []Target, registries Registries) (check.Findings, error) {
	list, err := each(targets, (*chart.Rendered).RunImages)
	if err != nil {
		return nil, err
	}
	missing, err := registries.MissingImages(ctx, list)
	if err != nil {
		return nil, err
	}
	return check.Images(check.Input{Set: d.Set, Charts: d.Charts, Rendered: renderedOf(targets), Images: missing}), nil
}
