package cli

import (
	"github.com/spf13/cobra"
)

func (c *command) load() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "load IMAGE.tar",
		Short: "Import container images from an OCI or docker archive into the node",
		Example: `  drydock load operator.tar
  drydock load runtime.tar --as registry.example.com/ai/runtime:1.0 --as registry.example.com/ai/runtime:1.1`,
		Args: oneArgument("the archive"),
		RunE: func(cmd *cobra.Command, args []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			imported, err := manager.Load(cmd.Context(), c.name, args[0], names)
			if err != nil {
				return err
			}
			for _, name := range imported {
				manager.Report.Step("loaded %s", name)
			}
			return nil
		},
	}
	c.addName(cmd)
	cmd.Flags().StringArrayVar(&names, "as", nil, "a further name for the (first) image in the archive; may be repeated")
	return cmd
}
