package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type rollbackFlags struct {
	rollout.ReturnOptions
	to      int
	yes     bool
	output  string
	timeout time.Duration
}

func (a *app) newRollback() *cobra.Command {
	var flags rollbackFlags
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Return the whole set to an earlier revision",
		Long: `Return every release to what it was at a revision of the set: charts, values and
CRDs. A rollback that would break live objects is refused before anything is
done, and so is one whose revisions Helm no longer keeps. What cannot be
restored (data, uninstalled releases) is printed. The revisions: wheelhouse history.`,
		Example: `  wheelhouse rollback -f fleet.yaml
  wheelhouse rollback -f fleet.yaml --to 3 --yes
  wheelhouse rollback -f fleet.yaml --to 3 --keep-crds`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.rollback(c.Context(), flags) },
	}
	a.fleetFlags(c)
	c.Flags().IntVar(&flags.to, "to", 0, "the revision to return to (default: the last that succeeded before the newest)")
	c.Flags().BoolVar(&flags.KeepCRDs, "keep-crds", false, "leave CRDs as they are")
	c.Flags().BoolVar(&flags.AcceptBreakage, "accept-crd-breakage", false, "go back to older CRDs although that breaks live objects")
	c.Flags().BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, json, or events: one JSON object per line, while it runs")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long a step may make no progress before it fails")
	return c
}

func (a *app) rollback(ctx context.Context, flags rollbackFlags) error {
	if err := oneOf("output", flags.output, "table", "json", "events"); err != nil {
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
	back, err := m.PlanRollback(ctx, flags.to, flags.ReturnOptions)
	if err != nil {
		return a.explainPermissions(err)
	}
	if err := report.Return(a.err, back); err != nil {
		return err
	}
	if err := back.Blocked(); err != nil {
		return err
	}
	progress := a.progress()
	defer progress.Close()
	out := a.output(flags.output, progress)
	m.Say = func(message string) { progress.Say("%s", message) }
	execution := rollout.Options{Patience: flags.timeout, Notify: out.notify}
	if !back.Plan.Changes() {
		fmt.Fprintf(a.out, "Nothing to do: the set is at revision %d. To go to another, name it with --to.\n", back.To.Number)
		_, err := m.Rollback(ctx, back, execution)
		return err
	}
	if err := a.ask(ctx, desired.Set.Name, question{about: fmt.Sprintf("the set returns to revision %d", back.To.Number), flag: "--yes", given: flags.yes}); err != nil {
		return err
	}
	result, err := m.Rollback(ctx, back, execution)
	progress.Pause()
	if result != nil {
		err = errors.Join(out.result(result), err, summary(result))
	}
	return err
}
