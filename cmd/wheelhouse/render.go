package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type renderFlags struct {
	namespaces    []string
	chart, output string
}

func (a *app) newRender() *cobra.Command {
	var flags renderFlags
	c := &cobra.Command{
		Use:   "render",
		Short: "Print the manifests of every release",
		Long: `Print the manifests of every release, in the order of the fleet file. The same
input gives the same bytes. No cluster is asked. Where a release has values that
are encrypted in their file, its Secrets are printed without their content.`,
		Example: `  wheelhouse render -f fleet.yaml
  wheelhouse render -f fleet.yaml -n team-a --chart platform
  wheelhouse render -f fleet.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.render(c.Context(), flags) },
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.namespaces)
	c.Flags().StringVar(&flags.chart, "chart", "", "only releases of this chart: "+chartNames())
	c.Flags().StringVarP(&flags.output, "output", "o", "yaml", "yaml or json")
	return c
}

func (a *app) render(ctx context.Context, flags renderFlags) error {
	if err := oneOf("output", flags.output, "yaml", "json"); err != nil {
		return err
	}
	if flags.chart != "" {
		if err := oneOf("chart", flags.chart, fleet.ChartKeys...); err != nil {
			return err
		}
	}
	desired, targets, err := a.rendered(ctx)
	if err != nil {
		return err
	}
	a.warn(desired.ObjectWarnings.Of("W-24"))
	var chosen []rollout.Target
	for _, target := range targets {
		if selected(flags.namespaces, target.Release) && (flags.chart == "" || target.Chart == flags.chart) {
			chosen = append(chosen, target)
		}
	}
	if len(chosen) == 0 {
		return noRelease(flags.chart, flags.namespaces)
	}
	if flags.output == "json" {
		return a.renderJSON(chosen)
	}
	for _, target := range chosen {
		shown, err := target.Shown()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "---\n# Release: %s, chart %s\n%s", target.Key, target.Source, shown.Manifest)
	}
	return nil
}

// renderedRelease is a release and its objects.
type renderedRelease struct {
	fleet.Key
	Chart   string `json:"chart"`
	Objects []any  `json:"objects"`
}

func (a *app) renderJSON(targets []rollout.Target) error {
	out := make([]renderedRelease, 0, len(targets))
	for _, target := range targets {
		rel := renderedRelease{Key: target.Key, Chart: target.Source.String(), Objects: []any{}}
		shown, err := target.Shown()
		if err != nil {
			return err
		}
		for _, object := range shown.Objects {
			var content any
			if err := yaml.Unmarshal([]byte(object.Content), &content); err != nil {
				return fmt.Errorf("release %s, %s: %w", target.Key, object, err)
			}
			rel.Objects = append(rel.Objects, content)
		}
		out = append(out, rel)
	}
	return report.JSON(a.out, out)
}

// selected reports whether a release is of one of the namespaces, as one that it
// lives in or serves; all are if none is named.
func selected(namespaces []string, rel fleet.Release) bool {
	return len(namespaces) == 0 || slices.ContainsFunc(rel.Namespaces(), func(name string) bool { return slices.Contains(namespaces, name) })
}

// noRelease says what the filters of a command left nothing of.
func noRelease(chart string, namespaces []string) error {
	switch where := strings.Join(namespaces, ", "); {
	case where == "":
		return fmt.Errorf("the fleet has no release of chart %s", chart)
	case chart == "":
		return fmt.Errorf("the fleet has no release in namespace %q", where)
	default:
		return fmt.Errorf("the fleet has no release of chart %s in namespace %q", chart, where)
	}
}
