package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type graphFlags struct {
	namespaces []string
	output     string
}

func (a *app) newGraph() *cobra.Command {
	var flags graphFlags
	c := &cobra.Command{
		Use:   "graph",
		Short: "Draw what apply would do, and what waits for what",
		Long: `Draw the steps of a plan, and which needs which: as Mermaid, which many forges and
editors show, as DOT for Graphviz, or as SVG, which a browser shows. Nothing is
written.`,
		Example: `  wheelhouse graph -f fleet.yaml
  wheelhouse graph -f fleet.yaml -o svg > plan.svg`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.graph(c.Context(), flags) },
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.namespaces)
	c.Flags().StringVarP(&flags.output, "output", "o", "mermaid", "mermaid, dot or svg")
	return c
}

func (a *app) graph(ctx context.Context, flags graphFlags) error {
	if err := oneOf("output", flags.output, "mermaid", "dot", "svg"); err != nil {
		return err
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	m, err := a.open(ctx, desired)
	if err != nil {
		return err
	}
	defer m.Close()
	options := rollout.PreviewOptions{}
	options.Namespaces = flags.namespaces
	plan, err := m.Plan(ctx, options)
	if err != nil {
		return a.refused(plan, err)
	}
	return report.Graph(report.Bare(a.out), plan, flags.output)
}
