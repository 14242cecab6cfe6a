package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/sops"
)

// app is what all commands share: streams and flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	kube     *genericclioptions.ConfigFlags
	file     string
	set      []string
	verbose  bool
}

func newRoot(in io.Reader, out, errOut io.Writer) *cobra.Command {
	a := &app{in: in, out: out, err: errOut, kube: kubeFlags()}
	root := &cobra.Command{
		Use:           "wheelhouse",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: displayName()},
		Short:         "Roll out, inspect and remove a fleet of inference platforms",
		Long:          "Wheelhouse installs and upgrades the Dynamo platform for many teams on one cluster,\nfrom one fleet file, as ordinary Helm releases.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Example:       "  wheelhouse init clusters/prod\n  wheelhouse plan -f clusters/prod/fleet.yaml",
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			log.SetOutput(io.Discard)
			slog.SetDefault(slog.New(a.logHandler()))
		},
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.CompletionOptions.HiddenDefaultCmd = true
	a.kube.AddFlags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&a.verbose, "verbose", false, "print what the Helm SDK logs")
	root.PersistentFlags().VisitAll(hideRareFlags)
	root.AddCommand(
		a.newInit(), a.newValidate(), a.newRules(), a.newValues(), a.newExplain(), a.newRender(), a.newPlan(), a.newApply(), a.newStatus(), a.newHistory(), a.newRollback(), a.newDestroy(),
		a.newDeps(), a.newBundle(), a.newVersion(),
	)
	dressHelp(root)
	return root
}

// fleetFlags adds the flags of every command that reads a fleet.
func (a *app) fleetFlags(c *cobra.Command) {
	c.Flags().StringVarP(&a.file, "filename", "f", "fleet.yaml", "the fleet file")
	c.Flags().StringArrayVar(&a.set, "set", nil, "set a value above all files: CHART.PATH=VALUE (repeatable)")
}

// read loads the fleet and prints warnings about it.
func (a *app) read(ctx context.Context) (*rollout.Desired, error) {
	desired, err := a.load(ctx)
	if desired != nil {
		a.warn(desired.Warnings)
	}
	return desired, err
}

// load loads the fleet, and fetches the third-party charts that are not at hand.
func (a *app) load(ctx context.Context) (*rollout.Desired, error) {
	shelf, err := a.shelf()
	if err != nil {
		return nil, err
	}
	source := a.source(shelf)
	desired, err := rollout.Read(source)
	if desired == nil || len(desired.Missing()) == 0 {
		return desired, err
	}
	if source.Unfetched = a.obtain(ctx, desired); source.Unfetched == nil {
		if source.Dependencies, err = a.shelf(); err != nil {
			return nil, err
		}
	}
	return rollout.Read(source)
}

// warn prints what rules found that does not stop anything, a line each.
func (a *app) warn(findings check.Findings) {
	for _, finding := range findings {
		fmt.Fprintln(a.err, finding)
	}
}

// source is what the flags name; without dependencies none is at hand.
func (a *app) source(dependencies rollout.Dependencies) rollout.Source {
	return rollout.Source{
		File: a.file, Files: fleet.Disk{}, Charts: charts.FS(), Profiles: charts.Profiles(), Set: a.set,
		Dependencies: dependencies, Opener: sops.NewOpener(),
	}
}

// open connects to the cluster, to work on the fleet.
func (a *app) open(ctx context.Context, desired *rollout.Desired) (*manager.Manager, error) {
	return manager.Open(ctx, a.kube, desired, a.logHandler())
}

func (a *app) logHandler() slog.Handler {
	if !a.verbose {
		return slog.DiscardHandler
	}
	return slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// quietError carries an exit code for a command that has said what there is to
// say.
type quietError int

func (quietError) Error() string { return "" }

func exitCode(err error) int {
	var quiet quietError
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	return 1
}

// oneOf checks the value of a flag such as -o.
func oneOf(flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("--%s is %q; it must be one of: %s", flag, value, strings.Join(allowed, ", "))
}
