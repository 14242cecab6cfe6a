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
	list, unknown, err := d.Images(targets)
	if err != nil {
		return nil, err
	}
	var references strings.Builder
	for _, image := range list {
		references.WriteString(image.Reference + "\n")
		b.Images = append(b.Images, image.Image)
	}
	b.Files[chart.BundleImages] = []byte(references.String())
	if len(unknown) > 0 {
		b.Files[chart.BundleUnknownImages] = []byte(strings.Join(unknown, "\n") + "\n")
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
