package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// newMan is for those who package the program: it is not listed.
func (a *app) newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Hidden: true,
		Short:  "Write a manual page for each command into a folder",
		Long: `Write a manual page for each command into a folder, which is made if it is missing:
wheelhouse.1, wheelhouse-apply.1 and so on. The date in them is that of
SOURCE_DATE_EPOCH, if that is set.`,
		Example: `  wheelhouse man /usr/local/share/man/man1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("man takes one folder, such as `wheelhouse man /usr/local/share/man/man1`")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			visit(root, func(c *cobra.Command) { c.Long += "\n\nExit codes: " + exitCodes(c) })
			header := &doc.GenManHeader{Section: "1", Source: "wheelhouse " + version.Version, Manual: "Wheelhouse"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
}
