package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

type valuesFlags struct {
	namespaces             []string
	chart, explain, output string
	unused                 bool
}

func (a *app) newValues() *cobra.Command {
	var flags valuesFlags
	c := &cobra.Command{
		Use:   "values",
		Short: "Print effective values, where one comes from, or which have no effect",
		Long: `Print the values that templates see, with all layers applied. With --explain,
print for every leaf under a path the place that set it and what it overrode.

With --unused, print what was written and has no effect, in all charts. Found by
experiment: each value is taken away, then given other contents, and the releases
are rendered again; if no object changes and nothing fails, the value is unused.

Credentials and what was encrypted are not shown.`,
		Example: `  wheelhouse values -f fleet.yaml -n team-a
  wheelhouse values -f fleet.yaml -n team-a --explain dynamo-operator.controllerManager
  wheelhouse values -f fleet.yaml --unused`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.unused {
				return a.unused(c.Context(), flags)
			}
			return a.values(c.Context(), flags)
		},
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.namespaces)
	c.Flags().StringVar(&flags.chart, "chart", "platform", "only releases of this chart: "+chartNames())
	c.Flags().StringVar(&flags.explain, "explain", "", "explain the values under this path, e.g. dynamo-operator.logLevel")
	c.Flags().BoolVar(&flags.unused, "unused", false, "print values that have no effect")
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text or json")
	return c
}

// unused prints the values that have no effect.
func (a *app) unused(ctx context.Context, flags valuesFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	if flags.explain != "" {
		return errors.New("--unused and --explain do not go together")
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	subjects, err := subjects(ctx, desired, chart.OfflineCapabilities(), flags.namespaces, "")
	if err != nil {
		return err
	}
	found, err := trace.Unused(ctx, subjects)
	if err != nil {
		return err
	}
	if flags.output == "json" {
		err = report.JSON(a.out, found)
	} else {
		err = report.Unused(a.out, found)
	}
	if err == nil && len(found) > 0 {
		return quietError(1)
	}
	return err
}

func (a *app) values(ctx context.Context, flags valuesFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	if err := oneOf("chart", flags.chart, fleet.ChartKeys...); err != nil {
		return err
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, rel := range desired.Set.Releases {
		if rel.Chart != flags.chart || !selected(flags.namespaces, rel) {
			continue
		}
		found = true
		if err := printValues(a.out, rel, flags); err != nil {
			return err
		}
	}
	if !found {
		return noRelease(flags.chart, flags.namespaces)
	}
	return nil
}

func printValues(w io.Writer, rel fleet.Release, flags valuesFlags) error {
	path := strings.TrimPrefix(flags.explain, rel.Chart+".")
	if flags.explain != "" {
		leaves := fleet.Explain(rel.Values, path)
		if len(leaves) == 0 {
			return fmt.Errorf("release %s has no value %s", rel.Key, path)
		}
		if flags.output == "json" {
			return report.JSON(w, map[string]any{"release": rel.Key, "values": leaves})
		}
		return report.Provenance(w, rel.Key, leaves)
	}
	if flags.output == "json" {
		return report.JSON(w, map[string]any{"release": rel.Key, "values": rel.Values.Shown()})
	}
	text, err := yaml.Marshal(rel.Values.Shown())
	if err != nil {
		return fmt.Errorf("print the values of %s: %w", rel.Key, err)
	}
	_, err = fmt.Fprintf(w, "---\n# Release: %s\n%s", rel.Key, text)
	return err
}

// chartNames lists the charts for --help.
func chartNames() string { return strings.Join(fleet.ChartKeys, ", ") }
