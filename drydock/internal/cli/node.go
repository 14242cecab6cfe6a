package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/cluster"
)

// nodeCommands are how up calls this program again, inside the namespaces of a new node.
func (c *command) nodeCommands() []*cobra.Command {
	enter := &cobra.Command{
		Use: cluster.EnterCommand, Hidden: true, Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			return c.tellParent(manager.EnterNode(c.name))
		},
	}
	start := &cobra.Command{
		Use: cluster.StartCommand, Hidden: true, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			return c.tellParent(manager.RunNode(cmd.Context(), c.name))
		},
	}
	c.addName(enter)
	c.addName(start)
	return []*cobra.Command{enter, start}
}

// tellParent hands an error to the calling drydock, which reads it from standard output and reports it.
func (c *command) tellParent(err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprint(c.stdout, err)
	return errSilent
}
