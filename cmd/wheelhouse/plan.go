package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type planFlags struct {
	fieldFlags
	output string
	// out is the file that keeps the plan, page the one that shows it.
	out, page string
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
  wheelhouse plan -f fleet.yaml --out friday.plan --html friday.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.plan(c.Context(), flags) },
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.Namespaces)
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, diff or json")
	c.Flags().BoolVar(&flags.Drift, "drift", false, "also compare releases that have not changed with what runs")
	c.Flags().BoolVar(&flags.Prune, "prune", false, "plan to remove releases of the fleet that the file no longer names")
	c.Flags().StringVar(&flags.Wave, "wave", "", "plan this wave and those before it only")
	c.Flags().StringVar(&flags.out, "out", "", "save the plan to a file, for apply --plan")
	c.Flags().StringVar(&flags.page, "html", "", "write the plan to a file as a page with its graph and diffs")
	flags.add(c)
	c.Flags().BoolVar(&flags.AcceptBreakage, "accept-crd-breakage", false, "plan CRD changes that break live objects")
	return c
}

func (a *app) plan(ctx context.Context, flags planFlags) error {
	if err := oneOf("output", flags.output, "table", "diff", "json"); err != nil {
		return err
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	if flags.Fields, err = flags.fields(desired); err != nil {
		return err
	}
	m, err := a.open(ctx, desired)
	if err != nil {
		return err
	}
	defer m.Close()
	flags.Text = flags.output != "table" || flags.out != "" || flags.page != ""
	plan, err := m.Plan(ctx, flags.PreviewOptions)
	if err != nil {
		return a.refused(plan, err)
	}
	a.warn(plan.Findings.Warnings())
	if err := a.printPlan(plan, flags.output); err != nil {
		return err
	}
	if flags.page != "" {
		if err := a.writePage(flags.page, func(w io.Writer) error {
			return report.PlanPage(w, plan, report.Commands(displayName(), a.advised), time.Now())
		}); err != nil {
			return err
		}
	}
	if plan.Blocked() != nil {
		return plan.Blocked()
	}
	if flags.out != "" {
		if err := a.savePlan(flags.out, plan, flags.PlanOptions, m); err != nil {
			return err
		}
	}
	if plan.Changes() {
		return quietError(2)
	}
	return nil
}

// refused shows what a refusal to plan is about: what the rules found, who else
// is in the cluster, the rights that lack.
func (a *app) refused(plan *rollout.Plan, err error) error {
	if plan != nil {
		a.warn(plan.Findings)
	}
	return a.explainPermissions(a.explainConflict(err))
}

// explainPermissions shows the rights that a refusal is about.
func (a *app) explainPermissions(err error) error {
	var denied *rollout.PermissionError
	if errors.As(err, &denied) {
		if printing := report.Permissions(a.err, denied); printing != nil {
			return printing
		}
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
		if err := report.Others(a.people(), plan.Others); err != nil {
			return err
		}
		return report.PlanTable(a.people(), plan)
	}
}

// writePage writes a page to a file.
func (a *app) writePage(file string, write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	// A page shows values and messages, which not everybody may read.
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "wrote the page %s\n", file)
	return nil
}
