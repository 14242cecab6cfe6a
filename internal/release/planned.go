package release

import (
	"fmt"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Helm renders a chart while it installs it. The plan has rendered it already,
// and a second time might give something else, where templates are random or
// look up what has changed meanwhile. So Helm gets a chart with a placeholder,
// the client builds the planned objects in its place, and the record gets the
// real chart, its manifest and its notes. Hooks are templates that render what
// the plan did, so that everything about them stays Helm's own.

const (
	placeholderFile = "templates/planned.yaml"
	placeholder     = "kind: Planned\n"
)

// chartFor is what Helm works on in place of the target's chart.
func chartFor(op *operation, target rollout.Target) *helmchart.Chart {
	op.records.planned = target.Rendered
	op.client.planned = target.Rendered
	metadata := *target.Rendered.Source().Metadata
	metadata.Dependencies = nil
	c := &helmchart.Chart{
		Metadata:  &metadata,
		Templates: []*common.File{{Name: placeholderFile, Data: []byte(placeholder)}},
	}
	for name, text := range target.Rendered.HookFiles() {
		literal := "{{ " + strconv.Quote(text) + " }}"
		c.Templates = append(c.Templates, &common.File{Name: strings.TrimPrefix(name, metadata.Name+"/"), Data: []byte(literal)})
	}
	return c
}

// placeholderFor is the manifest that Helm makes of the placeholder.
func placeholderFor(planned *chart.Rendered) string {
	return fmt.Sprintf("---\n# Source: %s/%s\n%s\n", planned.Source().Name(), placeholderFile, placeholder)
}
