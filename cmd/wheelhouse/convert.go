package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/graphfile"
)

func (a *app) newConvert() *cobra.Command {
	var file, to string
	c := &cobra.Command{
		Use:   "convert -f GRAPH.yaml",
		Short: "Write graphs in the other version of their API, without a cluster",
		Long: `Print a file with its graphs, components, scaling adapters and requests in another
version of nvidia.com. Everything else in the file stays as it is; comments and order
are kept where what they belong to is still there. The file itself is not changed.`,
		Example: `  wheelhouse convert -f graph.yaml
  wheelhouse convert -f graph.yaml --to v1alpha1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("to", to, graphfile.Versions()...); err != nil {
				return err
			}
			data, err := readFileOr(c.InOrStdin(), file)
			if err != nil {
				return err
			}
			converted, notes, err := graphfile.Convert(file, data, to)
			if err != nil {
				return err
			}
			for _, note := range notes {
				fmt.Fprintln(c.ErrOrStderr(), "note:", note)
			}
			_, err = a.out.Write(converted)
			return err
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the file with the graphs; - is standard input (required)")
	c.Flags().StringVar(&to, "to", graphfile.Versions()[0], strings.Join(graphfile.Versions(), " or "))
	_ = c.MarkFlagRequired("file")
	return c
}
