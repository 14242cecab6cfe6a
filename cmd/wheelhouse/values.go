package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

type valuesFlags struct {
	namespace, chart, explain, output string
}

func (a *app) newValues() *cobra.Command {
	var flags valuesFlags
	c := &cobra.Command{
		Use:   "values",
		Short: "Print effective values, or where one comes from",
		Long: `Print the values that templates see, with all layers applied. With --explain,
print for every leaf under a path the place that set it and what it overrode.`,
		Example: `  wheelhouse values -f fleet.yaml -n team-a
  wheelhouse values -f fleet.yaml -n team-a --explain dynamo-operator.controllerManager`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.values(flags) },
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&flags.namespace, "namespace", "n", "", "only releases in this namespace")
	c.Flags().StringVar(&flags.chart, "chart", "platform", "only releases of this chart: crds, platform or chrek")
	c.Flags().StringVar(&flags.explain, "explain", "", "explain the values under this path, e.g. dynamo-operator.logLevel")
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text or json")
	return c
}

func (a *app) values(flags valuesFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	if err := oneOf("chart", flags.chart, fleet.ChartKeys...); err != nil {
		return err
	}
	desired, err := a.read()
	if err != nil {
		return err
	}
	found := false
	for _, rel := range desired.Set.Releases {
		if rel.Chart != flags.chart || flags.namespace != "" && rel.Namespace != flags.namespace {
			continue
		}
		found = true
		if err := printValues(a.out, rel, flags); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("the fleet has no release of chart %s in namespace %q", flags.chart, flags.namespace)
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
