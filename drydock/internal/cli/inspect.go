package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/cluster"
)

func (c *command) status() *cobra.Command {
	var output, name string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the clusters are; exit code 1 when one is broken",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			list, err := manager.Status(name)
			if err != nil {
				return err
			}
			if err := c.printStatus(list, output); err != nil {
				return err
			}
			if slices.ContainsFunc(list, func(s cluster.Status) bool { return s.State != "running" }) {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "only this cluster")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func (c *command) printStatus(list []cluster.Status, output string) error {
	switch output {
	case "json":
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	case "table":
		return c.printTable(list)
	}
	return usageError{fmt.Errorf("-o %s is not known; use table or json", output)}
}

func (c *command) printTable(list []cluster.Status) error {
	if len(list) == 0 {
		fmt.Fprintln(c.stdout, "no clusters; make one with: drydock up")
		return nil
	}
	for i, status := range list {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		fmt.Fprintf(c.stdout, "%s  %s, %s, %s\n", status.Name, status.Kind, status.State, status.Server)
		table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  COMPONENT\tSTATE\tPID\tSINCE")
		for _, component := range status.Components {
			if component.Running {
				fmt.Fprintf(table, "  %s\trunning\t%d\t%s\n", component.Name, component.PID, component.Since.Local().Format(time.DateTime))
			} else {
				fmt.Fprintf(table, "  %s\tstopped\t-\t-\n", component.Name)
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (c *command) kubeconfig() *cobra.Command {
	var path bool
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the administrator's kubeconfig",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			file, _, err := c.existing()
			if err != nil {
				return err
			}
			if path {
				fmt.Fprintln(c.stdout, file)
				return nil
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(content)
			return err
		},
	}
	c.addName(cmd)
	cmd.Flags().BoolVar(&path, "path", false, "print where the file is instead")
	return cmd
}

func (c *command) env() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: `Print shell commands that make kubectl work: eval "$(drydock env)"`,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			kubeconfig, programs, err := c.existing()
			if err != nil {
				return err
			}
			// kubectl's cache goes where the cluster goes, rather than into the user's home.
			fmt.Fprintf(c.stdout, "export KUBECONFIG=%s\nexport KUBECACHEDIR=%s\nexport PATH=%s:\"$PATH\"\n",
				quote(kubeconfig), quote(filepath.Join(filepath.Dir(kubeconfig), "kubectl-cache")), quote(filepath.Join(programs, "path")))
			return nil
		},
	}
	c.addName(cmd)
	return cmd
}

func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func (c *command) existing() (kubeconfig, programs string, err error) {
	manager, err := c.manager()
	if err != nil {
		return "", "", err
	}
	files, record, err := manager.Existing(c.name)
	return files.Kubeconfig(), record.Programs, err
}

func (c *command) logs() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Print what a component of the cluster wrote",
		Args:  oneArgument("a component's name, as in drydock status"),
		RunE: func(cmd *cobra.Command, args []string) error {
			manager, err := c.manager()
			if err != nil {
				return err
			}
			list, err := manager.Status(c.name)
			if err != nil {
				return err
			}
			path, err := logOf(list[0], args[0])
			if err != nil {
				return err
			}
			return copyLog(cmd.Context(), c.stdout, path, follow)
		},
	}
	c.addName(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as more is written, until interrupted")
	return cmd
}

func logOf(status cluster.Status, component string) (string, error) {
	var names []string
	for _, candidate := range status.Components {
		if candidate.Name == component {
			return candidate.Log, nil
		}
		names = append(names, candidate.Name)
	}
	return "", fmt.Errorf("cluster %s has no component %q; it has %s", status.Name, component, strings.Join(names, ", "))
}

func copyLog(ctx context.Context, out io.Writer, path string, follow bool) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no log yet: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for {
		if _, err := io.Copy(out, file); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}
