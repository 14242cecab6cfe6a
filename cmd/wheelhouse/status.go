package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func (a *app) newStatus() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show releases, gates, drift and graphs",
		Long: `Show every release of the fleet, whether it is ready and as the file wants it,
and the graphs that its operators serve.`,
		Example: `  wheelhouse status -f fleet.yaml
  wheelhouse status -f fleet.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.status(c.Context(), output) },
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func (a *app) status(ctx context.Context, output string) error {
	if err := oneOf("output", output, "table", "json"); err != nil {
		return err
	}
	desired, err := a.read()
	if err != nil {
		return err
	}
	session, store, err := a.connect(ctx, desired)
	if err != nil {
		return err
	}
	defer session.Close()
	status, err := rollout.ReadStatus(ctx, desired, store, session)
	if err != nil {
		return err
	}
	if output == "json" {
		err = report.JSON(a.out, status)
	} else {
		err = report.StatusTables(a.out, status)
	}
	if err == nil && !status.Healthy() {
		return quietError(1)
	}
	return err
}
