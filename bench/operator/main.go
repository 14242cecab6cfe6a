// Command operator measures the operator on a real API server of drydock's, beside
// the least that any operator has to do, which is to apply the same objects in
// parallel. A table of figures with their bounds comes last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/bench/verdict"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	// watched is how long an operator with nothing to do is watched.
	watched = 30 * time.Second
	// edits are made one after the other.
	edits = 100
)

func main() {
	graphs := flag.Int("graphs", 1000, "graphs of three services each")
	version := flag.String("version", "v1alpha1", "the version in which they are written: v1alpha1 or v1beta1")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *graphs, *version)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	cluster *cluster.Cluster
	admin   client.WithWatch
	// version is that in which graphs are written and edited.
	version  string
	dir      string
	verdicts verdict.Verdicts
}

func run(ctx context.Context, graphs int, version string) (err error) {
	b := &bench{version: version}
	if b.dir, err = os.MkdirTemp("", "bench-operator-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	for _, name := range []string{"bench/floor", "cmd/operator"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", b.dir+"/", "./"+name)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	fmt.Println("==> starting an API server")
	if b.cluster, err = cluster.Up(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cluster.Down()) }()
	var conversions conversions
	stop, err := b.connect(&conversions)
	defer stop()
	if err != nil {
		return err
	}
	// A new API server has much to do with itself.
	first, err := b.deploy(ctx, graphs/20)
	if err != nil {
		return err
	}
	first.operator.stop()
	few, err := b.deploy(ctx, graphs/4)
	if err != nil {
		return err
	}
	few.operator.stop()
	many, err := b.deploy(ctx, graphs)
	if err != nil {
		return err
	}
	defer func() { many.operator.stop() }()
	printDeployed(few, many)
	b.verdicts.AtMost(fmt.Sprintf("%d graphs, × floor", graphs), many.took.Seconds()/many.floor.Seconds(), 2)
	b.verdicts.AtMost("writes per graph", many.writes, float64(children+statuses))
	b.verdicts.AtMost("events per graph", many.events, float64(children))
	// With more objects, the API server itself takes longer for each: the floor says how
	// much, and what is linear beside it is linear.
	ours, floors := growth(few.took, many.took), growth(few.floor, many.floor)
	fmt.Printf("\ntime per graph, %d beside %d: the operator %.2f, the floor %.2f\n", graphs, graphs/4, ours, floors)
	b.verdicts.AtMost("growth of the time per graph, × that of the floor", ours/max(1, floors), 1.25)
	if err := b.rest(ctx); err != nil {
		return err
	}
	if err := b.alone(func() error { return b.edit(ctx, many) }); err != nil {
		return err
	}
	if err := b.restart(ctx, many); err != nil {
		return err
	}
	if b.version == beta {
		if err := b.compare(ctx, many, &conversions); err != nil {
			return err
		}
	}
	return b.verdicts.Print(os.Stdout)
}

// growth is of the time per graph, from a quarter of them to all.
func growth(few, many time.Duration) float64 { return many.Seconds() / few.Seconds() / 4 }

// connect installs the kinds, with a converter between their versions where that
// is needed. Stop ends it.
func (b *bench) connect(converted *conversions) (stop func(), err error) {
	stop = func() {}
	scheme := manager.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return stop, err
	}
	config := rest.CopyConfig(b.cluster.Config)
	config.UserAgent = "bench" // the operator's is counted
	if b.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return stop, err
	}
	if b.version == beta {
		return cluster.InstallVersions(b.admin, converted.convert)
	}
	return stop, cluster.InstallKinds(b.admin)
}

// rest watches an operator with nothing to do.
func (b *bench) rest(ctx context.Context) error {
	fmt.Printf("==> %s of rest\n", watched)
	began := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(watched):
	}
	writes, events, err := b.wrote(began)
	if err != nil {
		return err
	}
	b.verdicts.AtMost("writes at rest", float64(writes+events), 0)
	return nil
}

// edit changes one graph after the other, and waits each time for its Deployment.
func (b *bench) edit(ctx context.Context, d *deployed) error {
	fmt.Printf("==> %d edits\n", edits)
	took := make([]time.Duration, edits)
	for i := range took {
		var err error
		if took[i], err = b.editOne(ctx, d.namespace, name(i*d.graphs/edits)); err != nil {
			return err
		}
	}
	slices.Sort(took)
	fmt.Printf("    half of them took less than %s\n", took[edits/2].Round(time.Millisecond))
	b.verdicts.AtMost("one edit, 99 of 100, ms", float64(took[edits-2].Milliseconds()), 200)
	peak, err := d.operator.peak()
	b.verdicts.AtMost("peak memory of the operator, MiB", float64(peak)/(1<<20), 250)
	return err
}

// restart starts another operator, which finds all as it should be.
func (b *bench) restart(ctx context.Context, d *deployed) (err error) {
	fmt.Println("==> a restart")
	if err := b.settled(ctx); err != nil { // what the edits began
		return err
	}
	d.operator.stop()
	began := time.Now()
	if d.operator, err = b.startOperator(ctx, d.namespace); err != nil {
		return err
	}
	for _, looked := range []struct {
		kind string
		want int
	}{{"graph", d.graphs}, {"component", 3 * d.graphs}} {
		if err := d.operator.awaitLooks(ctx, looked.kind, looked.want); err != nil {
			return err
		}
	}
	b.verdicts.AtMost("a restart until all are looked at, s", time.Since(began).Seconds(), 10)
	writes, events, err := b.wrote(began)
	if err != nil {
		return err
	}
	b.verdicts.AtMost("writes of a restart", float64(writes+events), 0)
	peak, err := d.operator.peak()
	b.verdicts.AtMost("peak memory after a restart, MiB", float64(peak)/(1<<20), 250)
	return err
}
