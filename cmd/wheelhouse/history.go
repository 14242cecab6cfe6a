package main

import (
	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

func (a *app) newHistory() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "history",
		Short: "List the revisions of the whole set",
		Example: `  wheelhouse history -f fleet.yaml
  wheelhouse history -f fleet.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "table", "json"); err != nil {
				return err
			}
			desired, err := a.read(c.Context())
			if err != nil {
				return err
			}
			m, err := a.open(c.Context(), desired)
			if err != nil {
				return err
			}
			defer m.Close()
			revisions, err := m.History(c.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				return report.JSON(a.out, revisions)
			}
			return report.HistoryTable(a.out, revisions)
		},
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}
