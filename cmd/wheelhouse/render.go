package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func (a *app) newRender() *cobra.Command {
	var namespace, only string
	c := &cobra.Command{
		Use:   "render",
		Short: "Print the manifests of every release",
		Long: `Print the manifests of every release, in the order of the fleet file. The same
input gives the same bytes. No cluster is asked.`,
		Example: `  wheelhouse render -f fleet.yaml
  wheelhouse render -f fleet.yaml -n team-a --chart platform`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			desired, err := a.read()
			if err != nil {
				return err
			}
			targets, err := desired.Targets(c.Context(), chart.OfflineCapabilities())
			if err != nil {
				return err
			}
			for _, target := range targets {
				if namespace != "" && target.Namespace != namespace || only != "" && target.Chart != only {
					continue
				}
				fmt.Fprintf(a.out, "---\n# Release: %s, chart %s\n%s", target.Key, target.Source, target.Rendered.Manifest)
			}
			return nil
		},
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&namespace, "namespace", "n", "", "only releases in this namespace")
	c.Flags().StringVar(&only, "chart", "", "only releases of this chart: crds, platform or chrek")
	return c
}
