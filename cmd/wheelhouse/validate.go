package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func (a *app) newValidate() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check the fleet file and everything it names, without a cluster",
		Long: `Check everything that can be known without a cluster: the fleet file, its values
against the schemas of the charts, the rules that charts must agree on, and that
every chart renders. Each problem is printed with file:line:column and a fix.`,
		Example: `  wheelhouse validate -f fleet.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			desired, err := a.read()
			if err != nil {
				return err
			}
			targets, err := desired.Targets(c.Context(), chart.OfflineCapabilities())
			if err != nil {
				return err
			}
			objects := 0
			for _, target := range targets {
				objects += len(target.Rendered.Objects)
			}
			fmt.Fprintf(a.out, "%s is valid: %d releases, %d objects.\n", a.file, len(targets), objects)
			return nil
		},
	}
	a.fleetFlags(c)
	return c
}
