package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/agent"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

// artifactsCommand is what `wheelhouse checkpoint` runs in an agent's container.
func artifactsCommand(file *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "artifacts",
		Short: "Look at what is stored, as JSON; `wheelhouse checkpoint` does so from outside",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	add := func(use, short string, args cobra.PositionalArgs, work func(c *cobra.Command, a *agent.Artifacts, ids []string) (any, error)) {
		c.AddCommand(&cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, ids []string) error {
			cfg, err := config.Load(*file)
			if err != nil {
				return err
			}
			artifacts, err := agent.OpenArtifacts(cfg)
			if err != nil {
				return err
			}
			found, err := work(c, artifacts, ids)
			if err != nil {
				return err
			}
			return json.NewEncoder(c.OutOrStdout()).Encode(found)
		}})
	}
	add("list", "Tell of all that are stored", cobra.NoArgs, func(c *cobra.Command, a *agent.Artifacts, _ []string) (any, error) {
		return a.List(c.Context())
	})
	add("verify ID...", "Read all of some", cobra.MinimumNArgs(1), func(c *cobra.Command, a *agent.Artifacts, ids []string) (any, error) {
		return a.Verify(c.Context(), ids)
	})
	add("remove ID...", "Remove some that nobody needs, and tell which", cobra.MinimumNArgs(1), func(c *cobra.Command, a *agent.Artifacts, ids []string) (any, error) {
		return ids, a.Remove(c.Context(), ids)
	})
	return c
}
