package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

type explainFlags struct {
	namespace, output string
	offline           bool
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
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			field := ""
			if len(args) == 2 {
				field = args[1]
			}
			return a.explain(c.Context(), args[0], field, flags)
		},
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&flags.namespace, "namespace", "n", "", "only releases in this namespace")
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
	subjects, err := subjects(ctx, desired, caps, flags.namespace, "")
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
func subjects(ctx context.Context, desired *rollout.Desired, caps *chart.Capabilities, namespace, key string) ([]trace.Subject, error) {
	var out []trace.Subject
	for _, rel := range desired.Set.Releases {
		if namespace != "" && rel.Namespace != namespace || key != "" && rel.Chart != key {
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
		return nil, noRelease(key, namespace)
	}
	return out, nil
}
