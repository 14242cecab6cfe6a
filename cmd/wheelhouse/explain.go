package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

type explainFlags struct {
	namespaces []string
	output     string
	offline    bool
}

func (a *app) newExplain() *cobra.Command {
	var flags explainFlags
	c := &cobra.Command{
		Use:   "explain KIND/NAME [FIELD]",
		Short: "Trace a field of an object back to the values that decide it",
		Long: `Trace a field of an object back to the values that decide it, with the file and
line that set each, the template, and who set the live field if it differs.
Found by experiment: every value is changed in turn and the release rendered
again, so includes, loops and computed keys are followed. Without FIELD, the
whole object is traced.`,
		Example: `  wheelhouse explain deploy/NAME spec.replicas -n team-a
  wheelhouse explain deploy/NAME 'spec.template.spec.containers[manager].image' --offline`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(c *cobra.Command, args []string) error {
			if !strings.Contains(args[0], "/") && len(args) > 1 {
				// As kubectl takes it: KIND NAME.
				args = append([]string{args[0] + "/" + args[1]}, args[2:]...)
			}
			if len(args) > 2 {
				return fmt.Errorf("too many arguments; see `%s --help`", c.CommandPath())
			}
			field := ""
			if len(args) == 2 {
				field = args[1]
			}
			return a.explain(c.Context(), args[0], field, flags)
		},
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.namespaces)
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text or json")
	c.Flags().BoolVar(&flags.offline, "offline", false, "do not look at the cluster")
	return c
}

func (a *app) explain(ctx context.Context, reference, field string, flags explainFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	path, err := trace.ParsePath(field)
	if err != nil {
		return err
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	caps, m := chart.OfflineCapabilities(), (*manager.Manager)(nil)
	if !flags.offline {
		if m, err = a.open(ctx, desired); err != nil {
			return fmt.Errorf("%w; --offline explains what is rendered", err)
		}
		defer m.Close()
		if caps, err = m.Capabilities(ctx); err != nil {
			return err
		}
	}
	subjects, err := subjects(ctx, desired, caps, flags.namespaces, "")
	if err != nil {
		return err
	}
	subject, object, err := trace.Find(subjects, reference)
	if err != nil {
		return err
	}
	explained, err := trace.Explain(ctx, subject, object, path)
	if err != nil {
		return err
	}
	if m != nil {
		live, err := m.Live(ctx, object, subject.Key)
		if err != nil {
			return err
		}
		explained.Compare(live, path)
	}
	if flags.output == "json" {
		return report.JSON(a.out, explained)
	}
	return report.Field(a.out, explained)
}

// subjects renders the releases of a namespace and chart, of all if empty.
func subjects(ctx context.Context, desired *rollout.Desired, caps *chart.Capabilities, namespaces []string, key string) ([]trace.Subject, error) {
	var out []trace.Subject
	for _, rel := range desired.Set.Releases {
		if !selected(namespaces, rel) || key != "" && rel.Chart != key {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		subject, err := trace.NewSubject(rel, desired.Charts[rel.Chart], caps)
		if err != nil {
			return nil, err
		}
		out = append(out, subject)
	}
	if len(out) == 0 {
		return nil, noRelease(key, namespaces)
	}
	return out, nil
}
