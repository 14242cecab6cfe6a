package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// fresh installs new tenants with every contender, in rounds.
func (b *bench) fresh(ctx context.Context, tenants, rounds int) error {
	walls := make([][]time.Duration, len(contenders))
	requests := make([]float64, len(contenders))
	for round := range rounds {
		for turn := range contenders {
			i := (turn + round) % len(contenders)
			c := contenders[i]
			if err := b.settle(ctx); err != nil {
				return err
			}
			fmt.Printf("==> round %d of %d: %s, %d tenants\n", round+1, rounds, c.name, tenants)
			r, began, err := b.install(ctx, c, fmt.Sprintf("r%d-%d", round, i), tenants)
			if err != nil {
				return err
			}
			asked, err := b.cluster.Requests(c.agent, began)
			if err != nil {
				return err
			}
			walls[i] = append(walls[i], r.Wall)
			requests[i] = float64(len(asked)) / float64(tenants)
		}
	}
	return b.printFresh(tenants, walls, requests)
}

// install has a contender install new tenants, and again if it fails: once more is
// no fault of a contender's, and counted.
func (b *bench) install(ctx context.Context, c contender, prefix string, tenants int) (r Run, began time.Time, err error) {
	for attempt := range attempts {
		began = time.Now()
		if r, err = c.install(ctx, b, names(fmt.Sprintf("%s-%d", prefix, attempt), tenants)); err == nil || ctx.Err() != nil {
			return r, began, err
		}
		b.failed[c.name]++
		fmt.Printf("    it failed, once more: %v\n", err)
	}
	return r, began, err
}

// attempts is how often a contender may try a round.
const attempts = 3

// settle waits, a minute at most, until the controllers have done with what the
// contender before has made: their work would be counted against the next.
func (b *bench) settle(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < time.Minute && ctx.Err() == nil; {
		asked, err := b.cluster.Requests("kube-controller-manager/", time.Now())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(asked, func(r cluster.Request) bool { return r.Writes() && r.ObjectRef.Resource != "leases" }) {
			return nil
		}
	}
	return ctx.Err()
}

func (b *bench) printFresh(tenants int, walls [][]time.Duration, requests []float64) error {
	objects, err := objectsPerTenant()
	if err != nil {
		return err
	}
	fmt.Printf("\nFresh install of %d tenants, %d objects each and a namespace, not waiting for pods\n", tenants, objects)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CONTENDER\tMEDIAN\t× FLOOR (median of rounds)\tREQUESTS PER RELEASE\tFAILED ROUNDS")
	for i, c := range contenders {
		fmt.Fprintf(table, "%s\t%.2f s\t%.2f\t%.1f\t%d\n", c.name, median(walls[i]).Seconds(), median(ratios(walls[i], walls[0])), requests[i], b.failed[c.name])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("the least a release can take: %d requests (its namespace, its objects, 2 for its record)\n", objects+3)
	b.verdicts.AtMost("wheelhouse, × floor", median(ratios(walls[1], walls[0])), 1.25)
	// A release costs the API server at least 2 requests more than the floor's,
	// whoever asks: of helm's 6.9 × floor no client of this chart can make more than 6.
	b.verdicts.AtLeast("helm ×8, × wheelhouse", median(ratios(walls[2], walls[1])), 5)
	return nil
}

func objectsPerTenant() (int, error) {
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		return 0, err
	}
	objects, err := platformObjects(c, "any")
	return len(objects), err
}

// ratios pairs two contenders round by round.
func ratios(a, b []time.Duration) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i]) / float64(b[i])
	}
	return out
}
