package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type applyFlags struct {
	fieldFlags
	rollout.PlanOptions
	output   string
	parallel int
	// serial does one step at a time.
	serial  bool
	timeout time.Duration
	rollout.Consent
	// plan is a saved plan to execute; saved is what it says.
	plan  string
	saved *rollout.SavedPlan
	// onFailure is keep or rollback.
	onFailure string
}

// Values of --on-failure.
const (
	onFailureKeep     = "keep"
	onFailureRollback = "rollback"
)

func (a *app) newApply() *cobra.Command {
	var flags applyFlags
	c := &cobra.Command{
		Use:   "apply",
		Short: "Install or upgrade what the fleet file describes",
		Long: `Install or upgrade what the fleet file describes: CRDs first, then all platforms
in parallel, each until its operator is ready, then what prepares their nodes.
What is up to date is left alone; what is half-done or damaged is repaired.`,
		Example: `  wheelhouse apply -f fleet.yaml
  wheelhouse apply -f fleet.yaml --set platform.dynamo-operator.controllerManager.replicas=2
  wheelhouse apply -f fleet.yaml --drift
  wheelhouse apply --plan friday.plan`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if flags.plan != "" {
				if flags.saved, err = a.openPlan(flags.plan, c.Flags().Changed("filename")); err != nil {
					return err
				}
			}
			return a.apply(c.Context(), flags)
		},
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.Namespaces)
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, wide, json, or events (JSON lines)")
	c.Flags().StringVar(&flags.Wave, "wave", "", "roll out this wave and those before it only")
	c.Flags().IntVar(&flags.parallel, "parallel", rollout.DefaultParallel, "how many releases are written at the same time")
	c.Flags().BoolVar(&flags.serial, "serial", false, "do one step at a time, in the order of the plan")
	habitOfWaiting(c, &flags.NoWait)
	c.Flags().BoolVar(&flags.NoWait, "no-wait", false, "do not wait until operators are ready (CRDs are always waited for)")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long a gate may stand still before it fails")
	c.Flags().BoolVar(&flags.Drift, "drift", false, "also repair what others changed in the cluster")
	c.Flags().BoolVar(&flags.Prune, "prune", false, "remove releases of the fleet that the file no longer names")
	c.Flags().BoolVar(&flags.KeepGoing, "keep-going", false, "leave the platforms that the cluster refuses, and do the rest")
	c.Flags().StringVar(&flags.plan, "plan", "", "execute a saved plan, exactly or not at all")
	flags.add(c)
	c.Flags().BoolVar(&flags.AcceptBreakage, "accept-crd-breakage", false, "change CRDs although that breaks live objects")
	c.Flags().StringVar(&flags.onFailure, "on-failure", onFailureKeep, "what becomes of what this apply changed if a step fails: keep, or rollback (take it back, in reverse)")
	c.Flags().StringArrayVar(&flags.Recreate, "recreate", nil, "replace `KIND/NAME`, which cannot change in place (repeatable)")
	c.Flags().StringArrayVar(&flags.Moves, "migrate-storage", nil, "write the objects of a `CRD` once more, so that a version may end")
	c.Flags().BoolVar(&flags.Adopt, "adopt", false, "take over releases and objects of others, as they are")
	c.Flags().BoolVarP(&flags.Yes, "yes", "y", false, "do not ask before objects are deleted or values lose their effect")
	for _, decided := range []string{"take-field", "force-conflicts", "accept-crd-breakage", "adopt", "recreate", "migrate-storage", "yes", "no-wait", "prune", "wave", "drift", "namespace", "keep-going"} {
		c.MarkFlagsMutuallyExclusive("plan", decided)
	}
	return c
}

func (a *app) apply(ctx context.Context, flags applyFlags) error {
	if err := oneOf("output", flags.output, "table", "wide", "json", "events"); err != nil {
		return err
	}
	if err := oneOf("on-failure", flags.onFailure, onFailureKeep, onFailureRollback); err != nil {
		return err
	}
	for _, object := range flags.Recreate {
		if err := rollout.Recreatable(object); err != nil {
			return fmt.Errorf("--recreate %s: %w", object, err)
		}
	}
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	options, err := flags.options(desired)
	if err != nil {
		return err
	}
	progress := a.progress()
	defer progress.Close()
	out := a.output(flags.output, progress)
	done := progress.Begin("reading the cluster")
	m, err := a.open(ctx, desired)
	if err != nil {
		return err
	}
	defer m.Close()
	m.Say = func(message string) { progress.Say("%s", message) }
	plan, err := m.Plan(ctx, options)
	if err != nil {
		return a.refused(plan, err)
	}
	done()
	a.warn(plan.Findings.Warnings())
	if err := report.Warnings(a.err, plan); err != nil {
		return err
	}
	agree := func(plan *rollout.Plan) error {
		if foreseen := rollout.ForeseeUndo(plan); options.Undo && len(foreseen) > 0 {
			progress.Say("if a step fails, this is taken back:\n  %s", strings.Join(foreseen, "\n  "))
		}
		if flags.saved != nil {
			return checkSaved(flags.saved, plan, m.Cluster())
		}
		return a.consent(ctx, plan, flags, progress)
	}
	if err := agree(plan); err != nil {
		return err
	}
	result, err := m.Apply(ctx, plan, options, agree, rollout.Options{Parallel: flags.parallel, Serial: flags.serial, Patience: flags.timeout, Notify: out.notify})
	progress.Pause()
	if result != nil {
		err = errors.Join(out.result(result), err, report.RunError(result))
		if err == nil && (flags.output == "table" || flags.output == "wide") {
			fmt.Fprintln(a.people(), "Next: wheelhouse status")
		}
		return err
	}
	return a.refused(nil, err)
}

// options of the plan: the flags', or those of a saved plan.
func (f *applyFlags) options(desired *rollout.Desired) (rollout.PreviewOptions, error) {
	options := rollout.PreviewOptions{PlanOptions: f.PlanOptions, Undo: f.onFailure == onFailureRollback}
	if f.saved != nil {
		options.PlanOptions = f.saved.Options
		options.Fields.Leave = desired.Fleet.LeaveFields
		return options, nil
	}
	var err error
	options.Fields, err = f.fields(desired)
	return options, err
}

// explainConflict shows who else is in the cluster that a refusal is about.
func (a *app) explainConflict(err error) error {
	var conflict *rollout.ConflictError
	if errors.As(err, &conflict) {
		if err := report.Others(a.err, conflict.Others); err != nil {
			return err
		}
	}
	return err
}
