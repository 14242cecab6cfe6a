// Package cli is drydock's command line: flags in, exit code out.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/drydock"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errSilent ends the command with exitFailed after it has already said why.
var errSilent = errors.New("already reported")

// command is what all subcommands share: global flags and where to write.
type command struct {
	stdout, stderr io.Writer
	stateDir       string
	name           string
}

// Run executes the command line and returns the exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &command{stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	var usage usageError
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "drydock: %v; see: drydock --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "drydock: %v\n", err)
		return exitFailed
	}
}

type usageError struct{ error }

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "drydock",
		Short: "A real one-node Kubernetes on this machine, built from source",
		Long: `drydock runs a real one-node Kubernetes on this machine: every component is the original one,
built from its Go module, and all that a cluster leaves behind is in one state directory.

With --api-only it runs just etcd, the API server and the controller manager: no root, no containers.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q", args[0])}
			}
			return nil
		},
		RunE: func(root *cobra.Command, _ []string) error { return root.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&c.stateDir, "state", "", "folder for everything drydock keeps (default: $DRYDOCK_STATE, else /var/lib/drydock for root, ~/.local/state/drydock for others)")
	root.AddCommand(c.up(), c.down(), c.status(), c.kubeconfig(), c.env(), c.logs(), c.load())
	root.AddCommand(c.nodeCommands()...)
	return root
}

// manager returns the manager of the chosen state directory; its progress goes to standard error.
func (c *command) manager() (*cluster.Manager, error) {
	dir := state.Dir(c.stateDir)
	if dir == "" {
		var err error
		if dir, err = state.DefaultDir(); err != nil {
			return nil, err
		}
	}
	absolute, err := filepath.Abs(string(dir))
	if err != nil {
		return nil, err
	}
	return &cluster.Manager{State: state.Dir(absolute), Sources: drydock.Sources, Report: progress.New(c.stderr)}, nil
}

func (c *command) addName(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.name, "name", cluster.DefaultName, "name of the cluster")
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("want exactly one argument: %s", what)}
		}
		return nil
	}
}
