package release

import (
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Helm renders a chart while it installs it. The plan has rendered it already,
// and for a pure chart once is enough: parsing and evaluating the templates of
// fifty tenants a second time costs a fifth of an apply. So Helm gets a chart
// with a placeholder, the client builds the planned objects in its place, and
// the record gets the real chart, its manifest and its notes.

const (
	placeholderFile = "templates/planned.yaml"
	placeholder     = "kind: Planned\n"
)

// chartFor is what Helm works on: a placeholder for what the plan has rendered,
// or the chart itself where Helm has to render.
func chartFor(cfg *action.Configuration, target rollout.Target) *helmchart.Chart {
	if !target.Rendered.Pure() {
		return target.Source.Helm()
	}
	recordsIn(cfg).planned = target.Rendered
	clientOf(cfg).planned = target.Rendered
	metadata := *target.Rendered.Source().Metadata
	metadata.Dependencies = nil
	return &helmchart.Chart{
		Metadata:  &metadata,
		Templates: []*common.File{{Name: placeholderFile, Data: []byte(placeholder)}},
	}
}

// placeholderFor is the manifest that Helm makes of the placeholder.
func placeholderFor(planned *chart.Rendered) string {
	return fmt.Sprintf("---\n# Source: %s/%s\n%s\n", planned.Source().Name(), placeholderFile, placeholder)
}
