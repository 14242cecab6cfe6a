// Command samples runs every graph and every request for one of a folder, unmodified, on a one-node
// Kubernetes of its own with the default platform, NATS included, and prints
// what became of each: Ready, stopped where any cluster of that size would stop
// it, or not supported by the operator, with the reason from its status. It
// exits with 1 if a graph is none of these.
//
// The runtime images that the files name are answered by the stand-in runtime, with the
// real Open MPI where that starts ranks on several nodes, those of endpoint pickers by
// the real one of the Gateway API inference extension;
// Secrets, ConfigMaps and claims that they refer to are created beside them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	nodeName  = "samples"
	fleetFile = "test/samples/fleet.yaml"
)

func main() {
	dir := flag.String("dir", "", "folder with the samples")
	gpus := flag.Int("gpus", 16, "GPUs that the node advertises, by default as many as a sample over several nodes has in all")
	timeout := flag.Duration("timeout", 4*time.Minute, "how long a graph may take")
	keep := flag.Bool("keep", false, "leave the node running")
	output := flag.String("o", "table", "output: table or json")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	results, err := runAll(ctx, *dir, *gpus, *timeout, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		os.Exit(1)
	}
	if !printResults(results, *output) {
		os.Exit(1)
	}
}

func runAll(ctx context.Context, dir string, gpus int, timeout time.Duration, keep bool) (results []result, err error) {
	if dir == "" {
		return nil, errors.New("name the folder: make samples SAMPLES=DIR")
	}
	samples, err := readSamples(dir)
	if err != nil {
		return nil, err
	}
	t, err := prepare(ctx, samples, gpus)
	if !keep {
		// The node goes even when the run was interrupted.
		defer func() {
			err = errors.Join(err, command(context.WithoutCancel(ctx), "drydock", "down", "--name", nodeName))
		}()
	}
	if err != nil {
		return nil, err
	}
	t.timeout = timeout
	for i, s := range samples {
		fmt.Fprintf(os.Stderr, "[%d/%d] %s: applied unmodified, waiting\n", i+1, len(samples), s.name())
		rows, err := t.run(ctx, s)
		if err != nil {
			return results, err
		}
		for _, r := range rows {
			fmt.Fprintf(os.Stderr, "[%d/%d] %s/%s: %s after %ds\n", i+1, len(samples), r.Sample, r.Graph, r.Outcome, r.Seconds)
		}
		results = append(results, rows...)
	}
	return results, nil
}

// prepare brings up the node with a cluster-wide operator and the images that
// the samples name.
func prepare(ctx context.Context, samples []*sample, gpus int) (*tryout, error) {
	images, pickers, ranks := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range samples {
		needs := s.needs()
		maps.Copy(images, needs.images)
		maps.Copy(pickers, needs.pickers)
		maps.Copy(ranks, needs.ranks)
	}
	// The one with Open MPI is a stand-in runtime, too.
	maps.DeleteFunc(images, func(image string, _ bool) bool { return ranks[image] })
	maps.DeleteFunc(pickers, func(image string, _ bool) bool { return images[image] || ranks[image] })
	if err := command(ctx, "drydock", "up", "--name", nodeName, "--gpus", fmt.Sprint(gpus)); err != nil {
		return nil, err
	}
	for _, load := range [][]string{
		{"drydock", "load", "--name", nodeName, "dist/images/dynamo-operator.tar"},
		{"drydock", "load", "--name", nodeName, "dist/images/dynamo-conversion.tar"},
		{"drydock", "load", "--name", nodeName, "dist/fixtures/fixture-nats.tar"},
		{"drydock", "load", "--name", nodeName, "dist/fixtures/fixture-lws.tar", "--as", groupsImage + ":" + groupsTag},
		as("dist/images/standin-runtime.tar", images),
		as("dist/fixtures/fixture-trtllm.tar", ranks),
		as("dist/fixtures/fixture-epp.tar", pickers),
	} {
		if err := command(ctx, load...); err != nil {
			return nil, err
		}
	}
	var kubeconfig bytes.Buffer
	cmd := exec.CommandContext(ctx, "drydock", "kubeconfig", "--path", "--name", nodeName)
	cmd.Stdout, cmd.Stderr = &kubeconfig, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("drydock kubeconfig: %w", err)
	}
	path := strings.TrimSpace(kubeconfig.String())
	if err := os.Setenv("KUBECONFIG", path); err != nil {
		return nil, err
	}
	t, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(installGroups(ctx), t.installPools(ctx)); err != nil {
		return nil, err
	}
	// The lock of an earlier run may be of another fixture.
	if err := command(ctx, "wheelhouse", "deps", "lock", "-f", fleetFile, "--update"); err != nil {
		return nil, err
	}
	return t, command(ctx, "wheelhouse", "apply", "-f", fleetFile, "--yes")
}

// as loads an archive under all names that a node could pull.
func as(archive string, images map[string]bool) []string {
	load := []string{"drydock", "load", "--name", nodeName, archive}
	for _, image := range slices.Sorted(maps.Keys(images)) {
		if _, err := name.ParseReference(image); err != nil {
			fmt.Fprintf(os.Stderr, "no node can pull %q: %v\n", image, err)
			continue
		}
		load = append(load, "--as", image)
	}
	return load
}

const (
	groupsImage = "registry.k8s.io/lws/lws"
	groupsTag   = "v0.6.1"
)

// installGroups installs LeaderWorkerSet by the chart of its own module, for
// graphs over several nodes.
func installGroups(ctx context.Context) error {
	folder, err := moduleFolder(ctx, "test/thirdparty/lws", "sigs.k8s.io/lws")
	if err != nil {
		return err
	}
	return command(ctx, "helm", "install", "lws", filepath.Join(folder, "charts", "lws"),
		"--namespace", "lws-system", "--create-namespace", "--wait", "--timeout", "3m",
		"--set", "image.manager.repository="+groupsImage+",image.manager.tag="+groupsTag+",image.manager.pullPolicy=IfNotPresent",
		"--set", "resources.requests.cpu=10m,resources.requests.memory=64Mi")
}

// installPools installs the API of InferencePools, and what endpoint pickers read
// beside them, by the definitions of its module.
func (t *tryout) installPools(ctx context.Context) error {
	folder, err := moduleFolder(ctx, "test/thirdparty/epp", "sigs.k8s.io/gateway-api-inference-extension")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		definitions, err := readSample(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, definition := range definitions.objects {
			if err := t.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(definition), client.FieldOwner("samples")); err != nil {
				return fmt.Errorf("install %s: %w", definition.GetName(), err)
			}
		}
	}
	return nil
}

func moduleFolder(ctx context.Context, in, module string) (string, error) {
	var folder []byte
	for _, args := range [][]string{{"mod", "download", module}, {"list", "-m", "-f", "{{.Dir}}", module}} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"-C", in}, args...)...)
		cmd.Stderr = os.Stderr
		var err error
		if folder, err = cmd.Output(); err != nil {
			return "", fmt.Errorf("find the module %s: %w", module, err)
		}
	}
	return strings.TrimSpace(string(folder)), nil
}

func connect(kubeconfig string) (*tryout, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config.QPS = -1
	// What the API server warns of is in the graph's status as well.
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &tryout{client: c}, nil
}

func command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// printResults reports whether every graph was accepted.
func printResults(results []result, output string) bool {
	failed := 0
	for _, r := range results {
		if !r.Outcome.accepted() {
			failed++
		}
	}
	if output == "json" {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(results); err != nil {
			fmt.Fprintln(os.Stderr, "samples:", err)
			return false
		}
		return failed == 0
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SAMPLE\tGRAPH\tOUTCOME\tSECONDS\tSTAND-INS\tWITHOUT\tREASON")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Sample, r.Graph, r.Outcome, r.Seconds, r.Stand, strings.Join(r.Without, ","), r.Reason)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		return false
	}
	fmt.Printf("%d graphs: %d Ready, %d stopped by the cluster's size, %d not supported by the operator, %d neither\n",
		len(results), count(results, ready), count(results, stopped), count(results, unsupported), failed)
	return failed == 0
}

func count(results []result, o outcome) int {
	n := 0
	for _, r := range results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}
