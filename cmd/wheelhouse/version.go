package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func (a *app) newVersion() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  wheelhouse version
  wheelhouse version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			if output == "json" {
				return report.JSON(a.out, map[string]string{"version": version.Version})
			}
			_, err := fmt.Fprintln(a.out, version.Version)
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}
