package graphfile

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
)

// Definitions are the CRDs that this program was built with.
func Definitions() ([]*crdsafety.Definition, error) {
	crds, err := chart.OpenFS(charts.FS(), "crds")
	if err != nil {
		return nil, fmt.Errorf("open the chart of CRDs: %w", err)
	}
	rendered, err := crds.Render(chart.Release{Name: "crds", Namespace: "default"}, nil, chart.OfflineCapabilities())
	if err != nil {
		return nil, fmt.Errorf("render the chart of CRDs: %w", err)
	}
	var definitions []*crdsafety.Definition
	for _, object := range rendered.Objects {
		if object.Kind != "CustomResourceDefinition" {
			continue
		}
		crd, err := crdsafety.Parse(object.Content)
		if err != nil {
			return nil, err
		}
		definitions = append(definitions, crd)
	}
	return definitions, nil
}
