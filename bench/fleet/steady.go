package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// repeats is how often each command is run on a fleet in which nothing changes.
const repeats = 5

// steadily are the commands on a fleet in which nothing changes, against which
// validate is held in the same round: their walls in validates, and their peaks.
var steadily = []struct {
	name   string
	args   []string
	atMost float64
}{
	{"validate", []string{"validate"}, 1},
	{"plan", []string{"plan"}, 0.4},
	{"apply", []string{"apply", "--no-wait", "--yes"}, 0.4},
	{"status", []string{"status"}, 1},
}

// peakAtMost bounds the memory of plan, apply and status, in MiB.
const peakAtMost = 300

// cost is what a command took on a fleet of some size.
type cost struct {
	walls []time.Duration
	// ratios are the walls in validates of the same round.
	ratios []float64
	// peak is in MiB, writes are those of all runs.
	peak   float64
	writes int
}

// steady measures what fleets cost when nothing or little changes: the last size
// has the bounds.
func (b *bench) steady(ctx context.Context, sizes []int) error {
	costs := make([][]cost, len(sizes))
	for i, tenants := range sizes {
		namespaces := names("large", tenants)
		file, err := b.writeFleet("large", namespaces, "")
		if err != nil {
			return err
		}
		fmt.Printf("\n==> %d tenants: first apply\n", tenants)
		if _, err := b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file); err != nil {
			return err
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		if costs[i], err = b.unchanged(ctx, tenants, file); err != nil {
			return err
		}
		walls, own, elsewhere, err := b.oneChanged(ctx, namespaces)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("one of %d tenants changed", tenants)
		if ratio := float64(median(walls)) / float64(median(costs[i][0].walls)); i == len(sizes)-1 {
			b.verdicts.AtMost(what+", × validate", ratio, 0.5)
		} else {
			fmt.Printf("    × validate: %.2f\n", ratio)
		}
		b.verdicts.AtMost(fmt.Sprintf("%s, writes to others (to its own, 3 times: %d)", what, own), float64(elsewhere), 0)
	}
	printGrowth(sizes, costs)
	for i, s := range steadily {
		last := costs[len(sizes)-1][i]
		what := fmt.Sprintf("%s of %d unchanged tenants", s.name, sizes[len(sizes)-1])
		if i > 0 {
			b.verdicts.AtMost(what+", × validate", median(last.ratios), s.atMost)
			b.verdicts.AtMost(what+", peak MiB", last.peak, peakAtMost)
		}
		b.verdicts.AtMost(what+", writes", float64(last.writes), 0)
	}
	return b.start(ctx)
}

// unchanged runs every command in rounds on a fleet that is as its file wants it.
func (b *bench) unchanged(ctx context.Context, tenants int, file string) ([]cost, error) {
	costs := make([]cost, len(steadily))
	for round := range repeats {
		fmt.Printf("==> %d tenants, nothing changed: round %d of %d\n", tenants, round+1, repeats)
		for i, s := range steadily {
			began := time.Now()
			run, err := b.wheelhouse(ctx, append(slices.Clone(s.args), "-f", file)...)
			if err != nil {
				return nil, err
			}
			asked, err := b.cluster.Requests("wheelhouse/", began)
			if err != nil {
				return nil, err
			}
			c := &costs[i]
			c.walls = append(c.walls, run.Wall)
			c.ratios = append(c.ratios, float64(run.Wall)/float64(costs[0].walls[round]))
			c.peak = max(c.peak, float64(run.Peak)/(1<<20))
			for _, r := range asked {
				if r.Writes() {
					c.writes++
				}
			}
		}
	}
	return costs, nil
}

// printGrowth shows each command on fleets of all sizes.
func printGrowth(sizes []int, costs [][]cost) {
	fmt.Println("\nNothing changed: medians, and what a command takes when the fleet grows")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "COMMAND\tTENANTS\tTIME\t× VALIDATE\tPEAK\t× TIME OF THE SIZE BEFORE")
	for i, s := range steadily {
		for j, tenants := range sizes {
			c, growth := costs[j][i], ""
			if j > 0 {
				growth = fmt.Sprintf("%.1f", float64(median(c.walls))/float64(median(costs[j-1][i].walls)))
			}
			fmt.Fprintf(table, "%s\t%d\t%.2f s\t%.2f\t%.0f MiB\t%s\n", s.name, tenants, median(c.walls).Seconds(), median(c.ratios), c.peak, growth)
		}
	}
	_ = table.Flush()
}

// oneChanged changes one tenant a few times and counts what is written to others or
// to the cluster. The lock and the history of the set have a namespace of their own.
func (b *bench) oneChanged(ctx context.Context, namespaces []string) (walls []time.Duration, own, elsewhere int, err error) {
	changed := namespaces[len(namespaces)-1]
	for _, level := range []string{"debug", "warn", "error"} {
		fmt.Printf("==> %d tenants: one changed\n", len(namespaces))
		file, err := b.writeFleet("large", namespaces, "{dynamo-operator: {controllerManager: {logLevel: "+level+"}}}")
		if err != nil {
			return nil, 0, 0, err
		}
		began := time.Now()
		run, err := b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file)
		if err != nil {
			return nil, 0, 0, err
		}
		walls = append(walls, run.Wall)
		asked, err := b.cluster.Requests("wheelhouse/", began)
		if err != nil {
			return nil, 0, 0, err
		}
		for _, r := range asked {
			switch {
			case !r.Writes():
			case r.ObjectRef.Namespace == changed:
				own++
			case r.ObjectRef.Namespace == "" || slices.Contains(namespaces, r.ObjectRef.Namespace):
				elsewhere++
			}
		}
	}
	return walls, own, elsewhere, nil
}

// start measures how long the program takes to say its version.
func (b *bench) start(ctx context.Context) error {
	var walls []time.Duration
	for range 20 {
		run, err := b.wheelhouse(ctx, "version")
		if err != nil {
			return err
		}
		walls = append(walls, run.Wall)
	}
	b.verdicts.AtMost("wheelhouse version, ms", median(walls).Seconds()*1000, 50)
	return nil
}
