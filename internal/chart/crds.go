package chart

import (
	"fmt"

	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// CRDs lists the objects in the crds/ folders of the chart and of those of its
// dependencies that the overrides turn on. Helm renders none of them.
func (c *Chart) CRDs(overrides map[string]any) ([]Object, error) {
	work := c.Helm()
	if len(work.CRDObjects()) == 0 {
		return nil, nil
	}
	if err := util.ProcessDependencies(work, overrides); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	var out []Object
	for _, crd := range work.CRDObjects() {
		objects, err := ParseManifest(string(crd.File.Data))
		if err != nil {
			return nil, fmt.Errorf("chart %s, %s: %w", c, crd.Filename, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}
