package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func (a *app) newVersion() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which charts the fleet runs",
		Long: `Print the version of this program and, where there is a fleet file and its cluster
answers, the charts that the fleet runs there.`,
		Example: `  wheelhouse version
  wheelhouse version -f fleet.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			charts := a.runningCharts(c.Context())
			if output == "json" {
				return report.JSON(a.out, versions{version.Version, charts})
			}
			fmt.Fprintln(a.out, version.Version)
			for _, name := range slices.Sorted(maps.Keys(charts)) {
				fmt.Fprintf(a.out, "%s: %s\n", name, report.Count(charts[name], "release"))
			}
			return nil
		},
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// versions is what version prints for programs.
type versions struct {
	Version string `json:"version"`
	// Charts counts the fleet's releases by chart and version.
	Charts map[string]int `json:"charts,omitempty"`
}

// runningCharts counts the releases of the fleet in the cluster; none where there
// is no fleet file, or no cluster that answers soon.
func (a *app) runningCharts(ctx context.Context) map[string]int {
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	m := a.connectQuietly(ctx)
	if m == nil {
		return nil
	}
	defer m.Close()
	charts, err := m.Charts(ctx)
	if err != nil {
		return nil
	}
	return charts
}
