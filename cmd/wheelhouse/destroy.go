package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type destroyFlags struct {
	rollout.DestroyOptions
	yes     bool
	timeout time.Duration
}

func (a *app) newDestroy() *cobra.Command {
	var flags destroyFlags
	c := &cobra.Command{
		Use:   "destroy",
		Short: "Remove what the fleet installed; keep CRDs, data and namespaces",
		Long: `Remove the platforms of the fleet, and what it installed before but no longer
names. Of the fleet file only its identity is needed: its values may be wrong.
CRDs, volume claims and namespaces stay unless asked for, and are listed. Graphs
must be gone first, because only a living operator looks after them.`,
		Example: `  wheelhouse destroy -f fleet.yaml
  wheelhouse destroy -f fleet.yaml --with-graphs --yes
  wheelhouse destroy -f fleet.yaml --with-graphs --purge-data --purge-crds --purge-namespaces`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.destroy(c.Context(), flags) },
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.Namespaces)
	c.Flags().BoolVar(&flags.WithGraphs, "with-graphs", false, "delete the graphs first, while their operator lives")
	c.Flags().BoolVar(&flags.PurgeData, "purge-data", false, "delete the volume claims of the platforms and their data")
	c.Flags().BoolVar(&flags.PurgeCRDs, "purge-crds", false, "delete the CRDs and every object of their kinds")
	c.Flags().BoolVar(&flags.PurgeNamespaces, "purge-namespaces", false, "delete namespaces that wheelhouse created and that are empty")
	c.Flags().BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long a deletion may make no progress before it fails")
	c.MarkFlagsMutuallyExclusive("namespace", "purge-crds")
	return c
}

func (a *app) destroy(ctx context.Context, flags destroyFlags) error {
	fleet, err := a.recognize(ctx)
	if err != nil {
		return err
	}
	m, err := a.connect(ctx, fleet)
	if err != nil {
		return err
	}
	defer m.Close()
	planned, err := m.PlanDestroy(ctx, flags.DestroyOptions)
	if planned != nil {
		if err := report.Removal(a.people(), planned, m.Cluster()); err != nil {
			return err
		}
	}
	if err != nil {
		return a.explainPermissions(err)
	}
	progress := a.progress()
	defer progress.Close()
	m.Say = func(message string) { progress.Say("%s", message) }
	execution := rollout.Options{Patience: flags.timeout, Notify: progress.Notify}
	if !planned.Plan.Changes() {
		fmt.Fprintln(a.out, "\nNothing to remove.")
		_, err := m.Destroy(ctx, planned, execution)
		return err
	}
	removed, kept := report.Fates(planned)
	if !flags.yes {
		if err := a.ask(ctx, fleet.Set.Name, rollout.Question{About: "this removes " + strings.Join(removed, ", "), Flag: "--yes"}); err != nil {
			return err
		}
	}
	result, err := m.Destroy(ctx, planned, execution)
	progress.Pause()
	if err != nil {
		return err
	}
	if err := report.RunError(result); err != nil {
		return err
	}
	stays := "Nothing was kept."
	if len(kept) > 0 {
		stays = "Kept: " + strings.Join(kept, ", ") + "."
	}
	fmt.Fprintf(a.out, "\nDone. %s\n", stays)
	return nil
}
