package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/sops"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// app is what all commands share: streams and flags.
type app struct {
	// args is the command line.
	args     []string
	in       io.Reader
	out, err io.Writer
	kube     *genericclioptions.ConfigFlags
	file     string
	set      fleet.Flags
	verbose  bool
	// advised are the flags that commands which messages suggest need as well.
	advised string
	// input reads the standard input, once.
	input func() ([]byte, error)
	// locking is held by who writes the lock file.
	locking *sync.Mutex
	// done closes when the run is to end.
	done <-chan struct{}
	// readOnly says that not even a third-party chart may be fetched.
	readOnly bool
}

// readOnly is for commands that are run for somebody who may only ask.
func readOnly(a *app) { a.readOnly = true }

func newRoot(args []string, in io.Reader, out, errOut io.Writer, options ...func(*app)) *cobra.Command {
	a := &app{args: args, in: in, kube: kubeFlags(), locking: &sync.Mutex{}, input: sync.OnceValues(func() ([]byte, error) { return io.ReadAll(in) })}
	for _, option := range options {
		option(a)
	}
	commands := func(text string) string { return report.Commands(displayName(), a.advised)(text) }
	a.err = report.NewDoor(errOut, commands)
	if a.out = out; report.IsTerminal(out) {
		a.out = report.NewDoor(out, nil)
	}
	root := &cobra.Command{
		Use:           "wheelhouse",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: displayName()},
		Short:         "Roll out, inspect and remove a fleet of inference platforms",
		Long:          "Wheelhouse installs and upgrades the Dynamo platform for many teams, on one cluster\nor several, from one fleet file, as ordinary Helm releases.",
		Version:       version.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Example:       "  wheelhouse init clusters/prod\n  wheelhouse plan -f clusters/prod/fleet.yaml",
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRun: func(c *cobra.Command, _ []string) {
			a.advised, a.done = advisedFlags(c), c.Context().Done()
			log.SetOutput(io.Discard)
			slog.SetDefault(slog.New(a.logHandler()))
		},
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "as the command version")
	_ = root.Flags().MarkHidden("version")
	root.CompletionOptions.HiddenDefaultCmd = true
	a.kube.AddFlags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&a.verbose, "verbose", false, "print what the Helm SDK logs")
	root.PersistentFlags().StringVar(a.kube.Context, "kube-context", "", "as --context")
	root.PersistentFlags().VisitAll(hideRareFlags)
	root.AddCommand(
		a.newInit(), a.newSchema(), a.newValidate(), a.newConvert(), a.newRules(), a.newValues(), a.newExplain(), a.newRender(), a.newImages(), a.newUpgradeCheck(), a.newPlan(), a.newGraph(), a.newApply(), a.newStatus(), a.newDoctor(), a.newHistory(), a.newRollback(), a.newDestroy(), a.newCheckpoint(),
		a.newDeps(), a.newBundle(), a.newExport(), a.newMCP(), a.newVersion(), a.newMan(),
	)
	dressHelp(root)
	a.ofEachCluster(root)
	a.completeValues(root)
	return root
}

// usualFile is the fleet file of commands that are given none.
const usualFile = "fleet.yaml"

// fleetFlags adds the flags of every command that reads a fleet.
func (a *app) fleetFlags(c *cobra.Command) {
	c.Flags().StringVarP(&a.file, "filename", "f", usualFile, "the fleet file, or - for the standard input")
	c.Flags().StringArrayVar(&a.set.Set, "set", nil, "set a value above all files: CHART.PATH=VALUE (repeatable)")
	for name, flag := range map[string]*[]string{"set-string": &a.set.Texts, "set-json": &a.set.JSON, "set-file": &a.set.Files} {
		c.Flags().StringArrayVar(flag, name, nil, "as --set, as Helm has it")
		_ = c.Flags().MarkHidden(name)
	}
}

// advisedFlags are the flags by which this run finds its fleet and its cluster.
func advisedFlags(c *cobra.Command) string {
	var out []string
	for _, name := range []string{"filename", "context", "kubeconfig"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			flag := "--" + name
			if f.Shorthand != "" {
				flag = "-" + f.Shorthand
			}
			out = append(out, flag+" "+report.Quote(f.Value.String()))
		}
	}
	return strings.Join(out, " ")
}

// people is where tables go: what is printed for people, with commands as they
// called this one.
func (a *app) people() io.Writer {
	return report.NewDoor(report.Bare(a.out), report.Commands(displayName(), a.advised))
}

// subject is the fleet of a command that needs only its identity.
type subject struct {
	rollout.Identity
	// desired is nil where the file cannot be read as a whole; unread says why.
	desired *rollout.Desired
	unread  error
}

// recognize reads which fleet it is, and the rest of it as far as it can be read.
func (a *app) recognize(ctx context.Context) (subject, error) {
	id, err := rollout.Identify(a.source(nil))
	if err != nil {
		return subject{}, err
	}
	s := subject{Identity: id}
	if s.desired, s.unread = a.load(ctx); s.unread == nil {
		s.Identity = s.desired.Identity
	}
	return s, nil
}

// connect connects to the cluster, to work on a fleet of which maybe only the
// identity is known.
func (a *app) connect(ctx context.Context, s subject) (*manager.Manager, error) {
	return manager.Open(ctx, a.on(s.Fleet), s.Identity, s.desired, a.logHandler())
}

// namespacesFlag selects some of the fleet's tenants.
func namespacesFlag(c *cobra.Command, namespaces *[]string) {
	c.Flags().StringSliceVarP(namespaces, "namespace", "n", nil, "only releases in this namespace (repeatable)")
}

// read loads the fleet and prints warnings about it. Notes, which ask for
// nothing, are left to validate.
func (a *app) read(ctx context.Context) (*rollout.Desired, error) {
	desired, err := a.load(ctx)
	if desired != nil {
		a.warn(desired.Warnings.With(check.Warning))
	}
	return desired, err
}

// rendered is the fleet with its releases as they would be on a cluster that nobody asks.
func (a *app) rendered(ctx context.Context) (*rollout.Desired, []rollout.Target, error) {
	desired, err := a.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	targets, err := desired.Targets(ctx, chart.OfflineCapabilities())
	return desired, targets, err
}

// load loads the fleet, and fetches the charts that are not at hand: those that the
// file names, then the third-party charts that these ask for.
func (a *app) load(ctx context.Context) (*rollout.Desired, error) {
	desired, err := a.readAtHand(nil)
	var unfetched error
	for range 2 {
		if desired == nil || unfetched != nil || len(desired.Missing()) == 0 {
			break
		}
		unfetched = a.obtain(ctx, desired)
		desired, err = a.readAtHand(unfetched)
	}
	if desired != nil && desired.Incomplete() {
		return nil, err
	}
	return desired, err
}

// readAtHand reads the fleet with the charts that are at hand; unfetched is why
// others are not, if somebody tried.
func (a *app) readAtHand(unfetched error) (*rollout.Desired, error) {
	shelf, err := a.shelf()
	if err != nil {
		return nil, err
	}
	source := a.source(shelf)
	source.Named, source.Unfetched, source.Lock = shelf, unfetched, shelf.Lock
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
		File: a.file, Context: *a.kube.Context, Files: a.files(), Charts: charts.FS(), Profiles: charts.Profiles(), Set: a.set,
		Dependencies: dependencies, Opener: sops.NewOpener(),
	}
}

// on are kubectl's flags for the cluster that the fleet names, if it does.
func (a *app) on(f *fleet.Fleet) *genericclioptions.ConfigFlags {
	if context := f.Cluster.Context.Value; context != "" {
		*a.kube.Context = context
	}
	return a.kube
}

func (a *app) files() fleet.Files { return fleet.Disk{Input: a.input, Done: a.done} }

// open connects to the cluster, to work on the fleet.
func (a *app) open(ctx context.Context, desired *rollout.Desired) (*manager.Manager, error) {
	return manager.Open(ctx, a.on(desired.Fleet), desired.Identity, desired, a.logHandler())
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
