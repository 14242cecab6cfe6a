package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/cluster"
)

func (c *command) up() *cobra.Command {
	var options cluster.Options
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster, or start it again with its data after a crash",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			options.Name = c.name
			return manager.Up(cmd.Context(), options)
		},
	}
	c.addName(cmd)
	cmd.Flags().BoolVar(&options.APIOnly, "api-only", false, "only etcd, API server and controller manager, on loopback; needs no root")
	cmd.Flags().StringVar(&options.Kubernetes, "kubernetes", os.Getenv("DRYDOCK_KUBERNETES"), "with --api-only: another version of API server and controller manager, such as 1.29.15, built at first use; an existing cluster changes over to it")
	cmd.Flags().IntVar(&options.GPUs, "gpus", 0, "number of nvidia.com/gpu that the node advertises (there are no real devices behind them)")
	return cmd
}

func (c *command) down() *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove a cluster with its data; the built programs stay",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			if purge {
				return manager.Purge()
			}
			return manager.Down(c.name)
		},
	}
	c.addName(cmd)
	cmd.Flags().BoolVar(&purge, "purge", false, "remove every cluster and the state directory with the built programs")
	return cmd
}
