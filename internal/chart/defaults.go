package chart

import (
	"encoding/json"
	"fmt"
	"slices"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// StoredDefaults are the defaults as Helm records them with a release: those of
// the chart and of the sub-charts that the overrides turn on.
func (c *Chart) StoredDefaults(overrides map[string]any) (map[string]any, error) {
	work := c.Helm()
	if err := util.ProcessDependencies(work, overrides); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	// As if read back from the record: numbers are alike then.
	data, err := json.Marshal(work.Values)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	out := map[string]any{}
	return out, json.Unmarshal(data, &out)
}

// Knows reports whether the chart may have a value of its own at a path. It
// errs towards yes for dependencies that are not at hand.
func (c *Chart) Knows(path ...string) bool {
	if len(path) == 0 || c.defaults.At(path...) != nil {
		return true
	}
	for _, d := range c.helm.Metadata.Dependencies {
		if valueKey(d) == path[0] && !slices.ContainsFunc(c.helm.Dependencies(), func(sub *helmchart.Chart) bool { return sub.Name() == d.Name }) {
			return true
		}
	}
	return false
}
