package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type rollbackFlags struct {
	rollout.RollbackOptions
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
CRDs, and wait until it is ready as apply does. Of the fleet file only its
identity is needed: its values may be wrong. A rollback that would break live
objects is refused before anything is done, and so is one whose revisions Helm
no longer keeps. What cannot be restored (data, uninstalled releases) is printed.
The revisions: wheelhouse history.`,
		Example: `  wheelhouse rollback -f fleet.yaml
  wheelhouse rollback -f fleet.yaml --to 3 --yes
  wheelhouse rollback -f fleet.yaml --to 3 --keep-crds`,
		Args: noArguments(func(args []string) string {
			return fmt.Sprintf("`wheelhouse rollback --to %s` returns to a revision", args[0])
		}),
		RunE: func(c *cobra.Command, _ []string) error { return a.rollback(c.Context(), flags) },
	}
	a.fleetFlags(c)
	c.Flags().IntVar(&flags.to, "to", 0, "the revision to return to (default: the last that succeeded before the newest)")
	c.Flags().BoolVar(&flags.KeepCRDs, "keep-crds", false, "leave CRDs as they are")
	c.Flags().BoolVar(&flags.AcceptBreakage, "accept-crd-breakage", false, "go back to older CRDs although that breaks live objects")
	habitOfWaiting(c, &flags.NoWait)
	c.Flags().BoolVar(&flags.NoWait, "no-wait", false, "do not wait until operators are ready (CRDs are always waited for)")
	c.Flags().BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, wide, json, or events: one JSON object per line, while it runs")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long a gate may make no progress before it fails")
	return c
}

func (a *app) rollback(ctx context.Context, flags rollbackFlags) error {
	if err := oneOf("output", flags.output, "table", "wide", "json", "events"); err != nil {
		return err
	}
	fleet, err := a.recognize(ctx)
	if err != nil {
		return err
	}
	m, err := a.connect(ctx, fleet)
	if err != nil {
		return err
	}
	defer m.Close()
	back, err := m.PlanRollback(ctx, flags.to, flags.RollbackOptions)
	if err != nil {
		return a.explainPermissions(err)
	}
	if err := report.Rollback(a.err, back); err != nil {
		return err
	}
	if err := back.Blocked(); err != nil {
		return err
	}
	progress := a.progress()
	defer progress.Close()
	out := a.output(flags.output, progress)
	m.Say = func(message string) { progress.Say("%s", message) }
	execution := rollout.Options{Patience: flags.timeout, NoWait: flags.NoWait, Notify: out.notify}
	if !back.Plan.Changes() {
		if err := back.Hopeless(); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "Nothing to do: the set is at revision %d. To go to another, name it with --to.\n", back.To.Number)
		_, err := m.Rollback(ctx, back, execution)
		return err
	}
	if !flags.yes {
		if err := a.ask(ctx, fleet.Set.Name, rollout.Question{About: fmt.Sprintf("the set returns to revision %d", back.To.Number), Flag: "--yes"}); err != nil {
			return err
		}
	}
	result, err := m.Rollback(ctx, back, execution)
	progress.Pause()
	if result == nil {
		return err
	}
	if err = errors.Join(out.result(result), err, report.RunError(result)); err != nil {
		return err
	}
	return a.tellReturn(ctx, m, fleet, back, !flags.NoWait)
}

// tellReturn says where the fleet is after a rollback, and what its file still
// wants.
func (a *app) tellReturn(ctx context.Context, m *manager.Manager, fleet subject, back *rollout.RollbackPlan, waited bool) error {
	now, asked, err := m.StillAsked(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.err, report.Returned(fleet.Set.Name, a.file, back.To.Number, now, waited, asked, fleet.unread))
	return nil
}
