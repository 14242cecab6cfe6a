package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func (a *app) newUpgradeCheck() *cobra.Command {
	var file, plan, output string
	c := &cobra.Command{
		Use:   "upgrade-check",
		Short: "Say what is known of the ways from installed versions to wanted ones",
		Long: `Say, for each chart and dependency whose version would change, whether the way from
the installed version is safe, asks for steps by hand, is blocked, or is unknown. Safe
is what a test of ours has gone from end to end, version by version. A way back is a
way, too. Nothing is written.

With -f, the fleet's releases are compared with what the file wants; with --plan, a
saved plan is read, without a cluster. Without either, all releases of our charts in
the cluster are compared with the charts of this program.`,
		Example: `  wheelhouse upgrade-check -f fleet.yaml
  wheelhouse upgrade-check --plan friday.plan
  wheelhouse upgrade-check -o json`,
		Args: noArguments(func(args []string) string {
			return fmt.Sprintf("`wheelhouse upgrade-check -f %s` checks a fleet file", args[0])
		}),
		RunE: func(c *cobra.Command, _ []string) error {
			a.file = file // which is none without the flag, unlike that of other commands
			return a.upgradeCheck(c.Context(), plan, output)
		},
	}
	c.Flags().StringVarP(&file, "filename", "f", "", "a fleet file, or - for the standard input")
	c.Flags().StringVar(&plan, "plan", "", "a saved plan")
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	c.MarkFlagsMutuallyExclusive("filename", "plan")
	return c
}

func (a *app) upgradeCheck(ctx context.Context, plan, output string) error {
	if err := oneOf("output", output, "table", "json"); err != nil {
		return err
	}
	ways, err := a.ways(ctx, plan)
	if err != nil {
		return err
	}
	if output == "json" {
		err = report.JSON(a.out, ways)
	} else {
		err = report.UpgradeCheck(a.people(), ways)
	}
	if err == nil && !ways.Fine() {
		return quietError(2)
	}
	return err
}

// ways are those of a saved plan, of the fleet, or of all releases in the cluster.
func (a *app) ways(ctx context.Context, plan string) (*rollout.Ways, error) {
	switch {
	case plan != "":
		saved, err := a.openPlan(plan, false)
		if err != nil {
			return nil, err
		}
		return saved.Ways(), nil
	case a.file != "":
		desired, err := a.read(ctx)
		if err != nil {
			return nil, err
		}
		progress := a.reading()
		defer progress.Close()
		m, err := a.open(ctx, desired)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		m.Say = func(message string) { progress.Say("%s", message) }
		return m.Ways(ctx)
	default:
		ours, err := ownCharts()
		if err != nil {
			return nil, err
		}
		defer a.reading().Close()
		return manager.WaysToCharts(ctx, a.kube, ours, a.logHandler())
	}
}

// ownCharts are the charts of this program, by name.
func ownCharts() (map[string]*chart.Chart, error) {
	out := map[string]*chart.Chart{}
	var problems []error
	for _, key := range fleet.ChartKeys {
		c, err := chart.OpenFS(charts.FS(), key)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		out[c.Name()] = c
	}
	return out, errors.Join(problems...)
}
