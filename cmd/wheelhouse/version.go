package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func (a *app) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  wheelhouse version`,
		Args:    cobra.NoArgs,
		Run:     func(*cobra.Command, []string) { fmt.Fprintln(a.out, version.Version) },
	}
}
