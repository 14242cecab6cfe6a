package main

import (
	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func (a *app) newHistory() *cobra.Command {
	var output string
	var namespaces []string
	c := &cobra.Command{
		Use:   "history",
		Short: "List the revisions of the whole set",
		Long: `List the revisions of the whole set, and why some failed. Of the fleet file only
its identity is needed: its name, where its journal is, its platforms.`,
		Example: `  wheelhouse history -f fleet.yaml
  wheelhouse history -f fleet.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "table", "wide", "json"); err != nil {
				return err
			}
			fleet, err := a.recognize(c.Context())
			if err != nil {
				return err
			}
			m, err := a.connect(c.Context(), fleet)
			if err != nil {
				return err
			}
			defer m.Close()
			revisions, err := m.History(c.Context())
			if err != nil {
				return err
			}
			if namespaces, err = fleet.Select(namespaces); err != nil {
				return err
			}
			revisions = rollout.OfNamespaces(revisions, namespaces)
			if output == "json" {
				return report.JSON(a.out, revisions)
			}
			return report.HistoryTable(a.people(), revisions, output == "wide")
		},
	}
	a.fleetFlags(c)
	namespacesFlag(c, &namespaces)
	c.Flags().StringVarP(&output, "output", "o", "table", "table, wide or json")
	return c
}
