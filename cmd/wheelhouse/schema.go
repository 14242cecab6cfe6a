package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// schemaFile is what a fleet file names for editors, beside it.
const schemaFile = "fleet.schema.json"

func (a *app) newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of fleet files, for editors",
		Long: `Print the JSON Schema of fleet files, the values of our charts included. Editors
that read YAML by a schema complete and explain fields by it, and mark what is
misspelt. wheelhouse init writes it beside the fleet file, which names it in its
first line; after an upgrade of wheelhouse, write it again.`,
		Example: "  wheelhouse schema > " + schemaFile,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := fleetSchema()
			if err == nil {
				_, err = a.out.Write(schema)
			}
			return err
		},
	}
}

// fleetSchema is that of fleet files which use the charts of this program.
func fleetSchema() ([]byte, error) {
	values := map[string]map[string]any{}
	for _, key := range fleet.ChartKeys {
		source, err := chart.OpenFS(charts.FS(), key)
		if err != nil {
			return nil, err
		}
		if values[key], err = source.Outline(); err != nil {
			return nil, err
		}
	}
	schema, err := fleet.Schema(values)
	if err != nil {
		return nil, err
	}
	return fmt.Appendln(schema), nil
}
