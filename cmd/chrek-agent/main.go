// Command chrek-agent is the checkpoint agent of one node. In its image it is
// /chrek-agent. `chrek-agent preflight` only looks at the node, prints what it
// found, and exits with 1 if something required is missing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/agent"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/criu"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chrek-agent:", err)
		return 1
	}
	return 0
}

func command() *cobra.Command {
	var file string
	root := &cobra.Command{
		Use:           "chrek-agent",
		Short:         "Run the checkpoint agent of this node",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			log, err := logger(cfg.Agent.LogLevel)
			if err != nil {
				return err
			}
			return agent.Run(c.Context(), cfg, log)
		},
	}
	root.PersistentFlags().StringVar(&file, "config", "/etc/chrek/config.yaml", "the agent's configuration `file`")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(preflightCommand(&file), installCommand(), artifactsCommand(&file), helperCommand())
	return root
}

// helperCommand is the agent's own: it starts itself so for what enters a pod.
func helperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    criu.Helper + " dump|enter|restore",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE:   func(c *cobra.Command, args []string) error { return criu.Help(args[0], c.InOrStdin(), c.OutOrStdout()) },
	}
}

func installCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install FOLDER",
		Short: "Put the program that waits for a checkpoint into a pod's volume, as FOLDER/init",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return install(args[0]) },
	}
}

// install copies the program that lies beside this one.
func install(folder string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(self), "chrek-init"))
	if err != nil {
		return err
	}
	// A container that starts again finds the whole file or none.
	half := filepath.Join(folder, ".init")
	if err := os.WriteFile(half, content, 0o755); err != nil {
		return err
	}
	return os.Rename(half, filepath.Join(folder, "init"))
}

func preflightCommand(file *string) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Say whether this node can checkpoint and restore pods; exit code 1 if something required is missing",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			write, known := map[string]func(io.Writer, []preflight.Result) error{
				"table": preflight.WriteTable, "json": preflight.WriteJSON,
			}[format]
			if !known {
				return fmt.Errorf("--output %q: must be table or json", format)
			}
			cfg, err := config.Load(*file)
			if err != nil {
				return err
			}
			results := preflight.Run(new(preflight.Gatherer).Gather(c.Context(), cfg), cfg)
			if err := write(c.OutOrStdout(), results); err != nil {
				return err
			}
			if !preflight.Ready(results) {
				return errors.New("a required check failed")
			}
			return nil
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

// logger writes one JSON object per line, marked with the node's name.
func logger(level string) (*slog.Logger, error) {
	var threshold slog.Level
	if err := threshold.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("agent.logLevel: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: threshold}))
	if node := os.Getenv("NODE_NAME"); node != "" {
		log = log.With("node", node)
	}
	return log, nil
}
