// Command fleet measures the manager on a real API server of drydock's, in
// pairs: every round runs all contenders, in turning order, on the same
// cluster. Ratios are taken within a round; absolute times depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/wheelhouse-dev/wheelhouse/bench/verdict"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

func main() {
	tenants := flag.Int("tenants", 50, "tenants of a fresh install")
	rounds := flag.Int("rounds", 3, "rounds of fresh installs")
	small := flag.Int("small", 200, "tenants of the fleet that the large one is held against")
	large := flag.Int("large", 1000, "tenants of the large fleet")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *tenants, *rounds, []int{*small, *large})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the cluster, the programs and a folder for files.
type bench struct {
	cluster            *cluster.Cluster
	dir                string
	bin                string
	helm, floor, chart string
	verdicts           verdict.Verdicts
	// failed counts, by contender, the rounds that were begun once more.
	failed map[string]int
}

func run(ctx context.Context, tenants, rounds int, sizes []int) (err error) {
	b := &bench{failed: map[string]int{}}
	if b.dir, err = os.MkdirTemp("", "bench-fleet-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.findPrograms(ctx); err != nil {
		return err
	}
	if err := b.onCluster(ctx, func() error { return b.fresh(ctx, tenants, rounds) }); err != nil {
		return err
	}
	// What others installed would be read by each command of the second part.
	if err := b.onCluster(ctx, func() error { return b.steady(ctx, sizes) }); err != nil {
		return err
	}
	return b.verdicts.Print(os.Stdout)
}

// onCluster measures on a cluster that has the CRDs and nothing else.
func (b *bench) onCluster(ctx context.Context, measure func() error) (err error) {
	fmt.Println("==> starting an API server")
	if b.cluster, err = cluster.Up(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cluster.Down()) }()
	if err := b.installCRDs(ctx); err != nil {
		return err
	}
	return measure()
}

// findPrograms uses what `make bench-fleet` has built.
func (b *bench) findPrograms(ctx context.Context) error {
	b.bin, b.helm, b.floor = "bin/wheelhouse", "bin/helm", filepath.Join(b.dir, "floor")
	packages, err := filepath.Glob("dist/charts/dynamo-platform-*.tgz")
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("want one dist/charts/dynamo-platform-*.tgz, found %v: run `make bench-fleet`", packages)
	}
	b.chart = packages[0]
	_, err = measure(ctx, nil, nil, "go", "build", "-o", b.floor, "./bench/floor")
	return err
}

// wheelhouse runs the manager against the bench's cluster. plan ends with 2
// where there are changes, and status with 1, since no pod ever runs.
func (b *bench) wheelhouse(ctx context.Context, args ...string) (Run, error) {
	run, err := measure(ctx, []string{"KUBECONFIG=" + b.cluster.Kubeconfig}, []int{1, 2}, append([]string{b.bin}, args...)...)
	if err == nil && run.Code == 1 && !strings.Contains(run.Output, "releases are not ready") {
		return run, fmt.Errorf("wheelhouse %s failed:\n%s", strings.Join(args, " "), run.Output)
	}
	return run, err
}

// writeFleet writes a fleet of namespace-restricted platforms. The last one
// gets an extra line of values, so that it can be changed.
func (b *bench) writeFleet(name string, namespaces []string, extra string) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: bench}\nspec:\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms:\n")
	for i, namespace := range namespaces {
		fmt.Fprintf(&text, "    - namespace: %s\n", namespace)
		if extra != "" && i == len(namespaces)-1 {
			fmt.Fprintf(&text, "      values: [{platform: %s}]\n", extra)
		}
	}
	file := filepath.Join(b.dir, name+".yaml")
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}

func (b *bench) installCRDs(ctx context.Context) error {
	file, err := b.writeFleet("crds", []string{"warm-up"}, "")
	if err != nil {
		return err
	}
	_, err = b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file)
	return err
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%03d", prefix, i)
	}
	return out
}
