// Command operator measures the operator on a real API server of drydock's: how
// long many graphs take until all their Deployments are there, beside the least
// that any operator has to do, which is to apply the same objects in parallel.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// mostTimes is how much longer than the floor the operator may take. It writes
// what the floor writes, one object of a graph after the other and each only
// once it knows that nobody else has one of that name, and then events and statuses.
const mostTimes = 6

func main() {
	graphs := flag.Int("graphs", 200, "graphs of three services each")
	rounds := flag.Int("rounds", 3, "rounds, each in namespaces of its own")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *graphs, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	cluster *cluster.Cluster
	admin   client.Client
	dir     string
}

func run(ctx context.Context, graphs, rounds int) (err error) {
	b := &bench{}
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
	if err := b.connect(); err != nil {
		return err
	}
	fmt.Printf("%d graphs of 3 services, until all %d Deployments are there\n\nROUND   OPERATOR   APPLIED IN PARALLEL   RATIO\n", graphs, 3*graphs)
	var ratios []float64
	for round := range rounds {
		operator, floor, err := b.round(ctx, fmt.Sprintf("round-%d", round+1), graphs)
		if err != nil {
			return err
		}
		ratio := operator.Seconds() / floor.Seconds()
		ratios = append(ratios, ratio)
		fmt.Printf("%-5d   %7.1fs   %18.1fs   %5.1f\n", round+1, operator.Seconds(), floor.Seconds(), ratio)
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	fmt.Printf("\nmedian ratio %.1f, bound %d\n", median, mostTimes)
	if median > mostTimes {
		return errors.New("the bound is broken")
	}
	return nil
}

func (b *bench) connect() (err error) {
	scheme := manager.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return err
	}
	if b.admin, err = client.New(b.cluster.Config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return cluster.InstallKinds(b.admin)
}

// round lets the operator deploy graphs in one namespace, and the floor apply
// what came of them in another.
func (b *bench) round(ctx context.Context, name string, graphs int) (operator, floor time.Duration, err error) {
	served, copied := name+"-operator", name+"-floor"
	if err := b.createNamespaces(ctx, served, copied); err != nil {
		return 0, 0, err
	}
	if operator, err = b.deploy(ctx, served, graphs); err != nil {
		return 0, 0, err
	}
	objects, err := b.export(ctx, served, copied)
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(b.dir, name+".json")
	if err := os.WriteFile(file, objects, 0o600); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	out, err := exec.CommandContext(ctx, filepath.Join(b.dir, "floor"), b.cluster.Kubeconfig, file).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("the floor: %w\n%s", err, out)
	}
	return operator, time.Since(began), nil
}
