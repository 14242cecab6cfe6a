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
names. CRDs, volume claims and namespaces stay unless asked for, and are listed.
Graphs must be gone first, because only a living operator can finish them.`,
		Example: `  wheelhouse destroy -f fleet.yaml
  wheelhouse destroy -f fleet.yaml --with-graphs --yes
  wheelhouse destroy -f fleet.yaml --with-graphs --purge-data --purge-crds --purge-namespaces`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.destroy(c.Context(), flags) },
	}
	a.fleetFlags(c)
	c.Flags().BoolVar(&flags.WithGraphs, "with-graphs", false, "delete the graphs first, while their operator lives")
	c.Flags().BoolVar(&flags.PurgeData, "purge-data", false, "delete the volume claims of the platforms and their data")
	c.Flags().BoolVar(&flags.PurgeCRDs, "purge-crds", false, "delete the CRDs and every object of their kinds")
	c.Flags().BoolVar(&flags.PurgeNamespaces, "purge-namespaces", false, "delete namespaces that wheelhouse created and that are empty")
	c.Flags().BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long a deletion may make no progress before it fails")
	return c
}

func (a *app) destroy(ctx context.Context, flags destroyFlags) error {
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	m, err := a.open(ctx, desired)
	if err != nil {
		return err
	}
	defer m.Close()
	ruins, err := m.PlanDestroy(ctx, flags.DestroyOptions)
	if ruins != nil {
		if err := report.Ruins(a.out, ruins); err != nil {
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
	if !ruins.Plan.Changes() {
		fmt.Fprintln(a.out, "\nNothing to remove.")
		_, err := m.Destroy(ctx, ruins, execution)
		return err
	}
	if err := a.ask(ctx, desired.Set.Name, question{about: "what is listed is removed from the cluster", flag: "--yes", given: flags.yes}); err != nil {
		return err
	}
	result, err := m.Destroy(ctx, ruins, execution)
	progress.Pause()
	if err != nil {
		return err
	}
	if err := summary(result); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nDone. %s\n", whatStays(ruins))
	return nil
}

func whatStays(r *rollout.Ruins) string {
	var stays []string
	if len(r.CRDs) > 0 && !r.Options.PurgeCRDs {
		stays = append(stays, fmt.Sprintf("%d CRDs", len(r.CRDs)))
	}
	if len(r.Claims) > 0 && !r.Options.PurgeData {
		stays = append(stays, fmt.Sprintf("volume claims of %d releases", len(r.Claims)))
	}
	if len(r.Namespaces) > 0 && !r.Options.PurgeNamespaces {
		stays = append(stays, fmt.Sprintf("%d namespaces", len(r.Namespaces)))
	}
	if len(stays) == 0 {
		return "Nothing was kept."
	}
	return "Kept: " + strings.Join(stays, ", ") + "."
}
