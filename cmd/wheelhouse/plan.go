package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type planFlags struct {
	fieldFlags
	output string
	// out is the file that keeps the plan.
	out string
	rollout.PreviewOptions
}

func (a *app) newPlan() *cobra.Command {
	var flags planFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do, object by object",
		Long: `Show what apply would do, by server-side dry run: objects created, changed and
deleted, pods replaced, defaults that an upgrade changes, live objects that new
CRDs would break, and what stands in the way. Secrets are masked. Nothing is
written.`,
		Example: `  wheelhouse plan -f fleet.yaml
  wheelhouse plan -f fleet.yaml -o diff
  wheelhouse plan -f fleet.yaml --drift
  wheelhouse plan -f fleet.yaml --out friday.plan`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.plan(c.Context(), flags) },
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, diff or json")
	c.Flags().BoolVar(&flags.Drift, "drift", false, "also compare releases that have not changed with what runs")
	c.Flags().BoolVar(&flags.Prune, "prune", false, "plan to remove releases of the fleet that the file no longer names")
	c.Flags().StringVar(&flags.Wave, "wave", "", "plan this wave and those before it only")
	c.Flags().StringVar(&flags.out, "out", "", "save the plan to a file, for apply --plan")
	flags.add(c)
	c.Flags().BoolVar(&flags.AcceptBreakage, "accept-crd-breakage", false, "plan CRD changes that break live objects")
	return c
}

func (a *app) plan(ctx context.Context, flags planFlags) error {
	if err := oneOf("output", flags.output, "table", "diff", "json"); err != nil {
		return err
	}
	desired, err := a.read()
	if err != nil {
		return err
	}
	if flags.Fields, err = flags.fields(desired); err != nil {
		return err
	}
	session, store, err := a.connect(ctx, desired)
	if err != nil {
		return err
	}
	defer session.Close()
	flags.Text = flags.output != "table" || flags.out != ""
	plan, err := a.preview(ctx, desired, store, session, flags.PreviewOptions)
	if err != nil {
		return err
	}
	a.warn(plan.Findings)
	if err := a.printPlan(plan, flags.output); err != nil {
		return err
	}
	if plan.Blocked() != nil {
		return plan.Blocked()
	}
	if flags.out != "" {
		if err := a.savePlan(flags.out, plan, flags.PreviewOptions, session.Describe()); err != nil {
			return err
		}
	}
	if plan.Changes() {
		return quietError(2)
	}
	return nil
}

// preview plans, makes sure that the user may do it, and asks the server what
// each step would change.
func (a *app) preview(ctx context.Context, desired *rollout.Desired, releases rollout.Releases, cluster rollout.Cluster, options rollout.PreviewOptions) (*rollout.Plan, error) {
	snapshot, err := rollout.Observe(ctx, desired, releases, cluster)
	if apierrors.IsForbidden(err) {
		if denied := rollout.PermitAll(ctx, desired, cluster); denied != nil {
			err = denied
		}
	}
	if err != nil {
		return nil, a.explainPermissions(err)
	}
	plan, err := rollout.NewPlan(desired, snapshot)
	if err != nil {
		return nil, a.explainConflict(err)
	}
	if err := plan.Until(options.Wave, desired.Set.Waves); err != nil {
		return nil, err
	}
	if err := plan.Permit(ctx, desired, cluster, !options.NoWait); err != nil {
		a.warn(plan.Findings)
		return nil, a.explainPermissions(err)
	}
	if err := rollout.Preview(ctx, plan, releases, cluster, options); err != nil {
		return nil, err
	}
	// Only the dry run knows what is deleted and what is new.
	switch {
	case options.Undo:
		err = plan.PermitUndo(ctx, desired, cluster, !options.NoWait)
	case plan.Deletions() > 0:
		err = plan.Permit(ctx, desired, cluster, !options.NoWait)
	}
	return plan, a.explainPermissions(err)
}

// explainPermissions shows the rights that a refusal is about.
func (a *app) explainPermissions(err error) error {
	var denied *rollout.PermissionError
	if errors.As(err, &denied) {
		if err := report.Permissions(a.err, denied); err != nil {
			return err
		}
		fmt.Fprintln(a.err)
	}
	return err
}

func (a *app) printPlan(plan *rollout.Plan, output string) error {
	switch output {
	case "json":
		return report.JSON(a.out, plan)
	case "diff":
		return report.PlanDiff(a.out, plan)
	default:
		if err := report.Others(a.out, plan.Others); err != nil {
			return err
		}
		return report.PlanTable(a.out, plan)
	}
}
