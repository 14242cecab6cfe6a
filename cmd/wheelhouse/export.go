package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/export"
)

type exportFlags struct{ charts, output string }

// exporter is a way to say what a fleet is to another tool.
type exporter func(export.Fleet) ([]export.File, error)

func (a *app) newExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the fleet as objects of Flux or Argo CD, to move to GitOps",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		a.exportCommand("flux", "Flux", "a HelmRelease for each release and an OCIRepository for each chart", export.Flux),
		a.exportCommand("argocd", "Argo CD", "an Application for each release", export.ArgoCD),
	)
	return c
}

func (a *app) exportCommand(use, tool, objects string, as exporter) *cobra.Command {
	var flags exportFlags
	c := &cobra.Command{
		Use:   use,
		Short: "Write the fleet as objects of " + tool,
		Long: fmt.Sprintf(`Write the fleet as objects of %s, with the same names, values and order:
%s. No cluster is asked.

The charts are expected in the registry of --charts. With -o, their packages are
written as well, as this fleet runs them, for helm push. What only wheelhouse can
look after is refused, with what to set instead, and so are values that are
encrypted in their file.`, tool, objects),
		Example: fmt.Sprintf(`  wheelhouse export %[1]s -f fleet.yaml --charts oci://registry.example.com/team/charts
  wheelhouse export %[1]s -f fleet.yaml --charts oci://registry.example.com/team/charts -o %[1]s`, use),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.export(c.Context(), as, flags) },
	}
	a.fleetFlags(c)
	c.Flags().StringVar(&flags.charts, "charts", "", "the `ADDRESS` of the charts, oci://HOST/PATH, as make push prints it (required)")
	c.Flags().StringVarP(&flags.output, "output", "o", "", "write files into this new folder, and the charts' packages; default: print the objects")
	return c
}

func (a *app) export(ctx context.Context, as exporter, flags exportFlags) error {
	registry, err := chartRegistry(flags.charts)
	if err != nil {
		return err
	}
	desired, targets, err := a.rendered(ctx)
	if err != nil {
		return err
	}
	exported := export.Fleet{Targets: targets, Waves: desired.Set.Waves, Registry: registry, History: desired.Fleet.History}
	files, err := as(exported)
	if err != nil {
		return err
	}
	if len(desired.Fleet.LeaveFields) > 0 {
		fmt.Fprintln(a.err, "note: spec.leaveFields is not exported: say there too which fields belong to other programs")
	}
	if flags.output == "" {
		return a.printExport(files, exported.Charts())
	}
	return a.writeExport(flags.output, registry, files, exported.Charts())
}

// chartRegistry checks where charts are.
func chartRegistry(address string) (string, error) {
	host, isOCI := strings.CutPrefix(strings.TrimSuffix(address, "/"), "oci://")
	switch {
	case address == "":
		return "", errors.New("--charts is missing: name the registry that has the charts, such as oci://registry.example.com/team/charts; `make push` puts them there")
	case !isOCI || host == "":
		return "", fmt.Errorf("--charts is %q; write oci://HOST/PATH, as `make push` prints it", address)
	}
	return "oci://" + host, chart.CheckAddress(address)
}

func (a *app) printExport(files []export.File, charts []*chart.Chart) error {
	for _, c := range charts {
		if added := c.Added(); len(added) > 0 {
			fmt.Fprintf(a.err, "note: chart %s must contain %s, which `make push` leaves out; -o FOLDER writes the package that does\n", c, strings.Join(added, ", "))
		}
	}
	for _, file := range files {
		if _, err := fmt.Fprintf(a.out, "---\n%s", file.Content); err != nil {
			return err
		}
	}
	return nil
}

// writeExport writes objects and, below them, the packages of charts.
func (a *app) writeExport(folder, registry string, files []export.File, charts []*chart.Chart) error {
	switch found, err := os.ReadDir(folder); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the export: %w", err)
	case len(found) > 0:
		return fmt.Errorf("folder %s is not empty: files of an earlier export would stay among the new ones; name a new folder", folder)
	}
	objects := len(files)
	for _, c := range charts {
		data, err := c.Package()
		if err != nil {
			return err
		}
		files = append(files, export.File{Name: filepath.Join("charts", c.FileName()), Content: data})
	}
	if err := os.MkdirAll(filepath.Join(folder, "charts"), 0o755); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	var push bytes.Buffer
	for i, file := range files {
		path := filepath.Join(folder, file.Name)
		if err := os.WriteFile(path, file.Content, 0o644); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		if i >= objects {
			fmt.Fprintf(&push, "  helm push %s %s\n", path, registry)
		}
	}
	_, err := fmt.Fprintf(a.out, "Wrote %d files of objects to %s. Their charts, if the registry has not got them:\n%s", objects, folder, push.String())
	return err
}
