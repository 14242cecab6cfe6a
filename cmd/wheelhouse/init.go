package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

//go:embed fleet.template.yaml
var fleetTemplate []byte

func (a *app) newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented fleet file to start from",
		Long: `Write a commented fleet file to start from, and beside it the schema by which
editors complete its fields. A fleet file that is there is not touched.`,
		Example: `  wheelhouse init
  wheelhouse init clusters/prod`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return a.writeFleet(dir)
		},
	}
}

// writeFleet never overwrites: the file may hold somebody's work.
func (a *app) writeFleet(dir string) error {
	path := filepath.Join(dir, usualFile)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; nothing was written", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(fleetTemplate)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	schema, err := fleetSchema()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, schemaFile), schema, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Wrote %s, and %s, by which editors help. Next: edit it, then `wheelhouse validate -f %s` and `wheelhouse apply -f %s`.\n",
		path, filepath.Join(dir, schemaFile), path, path)
	return nil
}
