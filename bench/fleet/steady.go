package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// steady measures what a large fleet costs when nothing or little changes.
func (b *bench) steady(ctx context.Context, tenants int) error {
	namespaces := names("large", tenants)
	file, err := b.writeFleet("large", namespaces, "")
	if err != nil {
		return err
	}
	fmt.Printf("\n==> %d tenants: first apply\n", tenants)
	first, err := b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file)
	if err != nil {
		return err
	}
	peak := first.Peak
	if err := b.settle(ctx); err != nil {
		return err
	}
	for _, m := range []struct {
		what  string
		args  []string
		limit float64
	}{
		{"no-change apply", []string{"apply", "--no-wait", "--yes", "-f", file}, 3},
		{"no-change plan", []string{"plan", "-f", file}, 3},
		{"validate", []string{"validate", "-f", file}, 2},
	} {
		fmt.Printf("==> %d tenants: %s\n", tenants, m.what)
		run, writes, err := b.repeat(ctx, m.args...)
		if err != nil {
			return err
		}
		peak = max(peak, run.Peak)
		b.verdicts.AtMost(fmt.Sprintf("%s of %d tenants, s", m.what, tenants), run.Wall.Seconds(), m.limit)
		b.verdicts.AtMost(fmt.Sprintf("%s of %d tenants, writes", m.what, tenants), float64(writes), 0)
	}
	b.verdicts.AtMost(fmt.Sprintf("peak memory for %d tenants, MiB", tenants), float64(peak)/(1<<20), 300)
	if err := b.oneChanged(ctx, namespaces); err != nil {
		return err
	}
	return b.start(ctx)
}

// repeat runs a command three times and returns the median run and the writes
// of all of them.
func (b *bench) repeat(ctx context.Context, args ...string) (Run, int, error) {
	began := time.Now()
	var walls []time.Duration
	var last Run
	for range 3 {
		run, err := b.wheelhouse(ctx, args...)
		if err != nil {
			return run, 0, err
		}
		walls = append(walls, run.Wall)
		last.Peak = max(last.Peak, run.Peak)
	}
	last.Wall = median(walls)
	asked, err := b.cluster.Requests("wheelhouse/", began)
	if err != nil {
		return last, 0, err
	}
	writes := 0
	for _, r := range asked {
		if r.Writes() {
			writes++
		}
	}
	return last, writes, nil
}

// oneChanged changes one tenant and counts what is written to others or to the
// cluster. The lock and the history of the set have a namespace of their own.
func (b *bench) oneChanged(ctx context.Context, namespaces []string) error {
	fmt.Printf("==> %d tenants: one changed\n", len(namespaces))
	changed := namespaces[len(namespaces)-1]
	file, err := b.writeFleet("large", namespaces, "{dynamo-operator: {controllerManager: {logLevel: debug}}}")
	if err != nil {
		return err
	}
	began := time.Now()
	run, err := b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file)
	if err != nil {
		return err
	}
	asked, err := b.cluster.Requests("wheelhouse/", began)
	if err != nil {
		return err
	}
	own, elsewhere := 0, 0
	for _, r := range asked {
		switch {
		case !r.Writes():
		case r.ObjectRef.Namespace == changed:
			own++
		case r.ObjectRef.Namespace == "" || slices.Contains(namespaces, r.ObjectRef.Namespace):
			elsewhere++
		}
	}
	b.verdicts.AtMost(fmt.Sprintf("one of %d tenants changed, s", len(namespaces)), run.Wall.Seconds(), 6)
	b.verdicts.AtMost(fmt.Sprintf("one of %d tenants changed: writes to other tenants (to its own: %d)", len(namespaces), own), float64(elsewhere), 0)
	return nil
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
