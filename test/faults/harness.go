package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// harness is one API server with a wheelhouse binary to disturb.
type harness struct {
	cluster   *cluster.Cluster
	transport http.RoundTripper
	observer  *observer
	binary    string
	charts    string
	dir       string
	// ends are the states that undisturbed scenarios end in, by name.
	ends map[string]state
	// parallel is how many fleets are swept at the same time.
	parallel int
	// output receives what is worth telling while it runs.
	output  io.Writer
	speak   sync.Mutex
	fleets  atomic.Int32
	leaving sync.WaitGroup
}

// newHarness builds wheelhouse and connects to a cluster. Charts is the folder
// with the charts of the fleets.
func newHarness(ctx context.Context, c *cluster.Cluster, charts string, output io.Writer) (h *harness, err error) {
	h = &harness{cluster: c, ends: map[string]state{}, parallel: 3, output: output}
	if h.charts, err = filepath.Abs(charts); err != nil {
		return nil, err
	}
	if h.dir, err = os.MkdirTemp("", "wheelhouse-faults-"); err != nil {
		return nil, err
	}
	h.binary = filepath.Join(h.dir, "wheelhouse")
	build := exec.CommandContext(ctx, "go", "build", "-o", h.binary, "github.com/wheelhouse-dev/wheelhouse/cmd/wheelhouse")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build wheelhouse: %w\n%s", err, out)
	}
	if h.transport, err = rest.TransportFor(c.Config); err != nil {
		return nil, err
	}
	h.observer, err = newObserver(h)
	return h, err
}

// Close waits until every fleet has gone from the cluster: nothing that a
// killed client left may keep a namespace from ending.
func (h *harness) Close() error {
	h.leaving.Wait()
	err := h.drained()
	return errors.Join(err, os.RemoveAll(h.dir))
}

func (h *harness) drained() error {
	const limit = 3 * time.Minute
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Second) {
		ending, err := h.observer.ending(context.Background())
		if err != nil || len(ending) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("namespaces that do not end: %s", strings.Join(slices.Sorted(maps.Keys(ending)), ", "))
		}
	}
}

func (h *harness) say(format string, args ...any) {
	h.speak.Lock()
	defer h.speak.Unlock()
	fmt.Fprintf(h.output, format+"\n", args...)
}

// fleet is a fleet of three tenants with names of its own, and a folder with
// its files: one.yaml, and two.yaml, which wants another version.
type fleet struct {
	name, dir, binary string
}

const fleetText = `apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: %[1]s}
spec:
  charts: {crds: %[2]s/crds, platform: %[2]s/platform}
  crds: {namespace: %[1]s-crds}
  values: [{platform: {version: %[3]s}}]
  platforms: [{namespace: %[1]s-a}, {namespace: %[1]s-b}, {namespace: %[1]s-c}]
`

func (h *harness) newFleet() (*fleet, error) {
	name := fmt.Sprintf("zz%dzz", h.fleets.Add(1))
	f := &fleet{name: name, dir: filepath.Join(h.dir, name), binary: h.binary}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		return nil, err
	}
	for _, version := range []string{"one", "two"} {
		text := fmt.Sprintf(fleetText, name, h.charts, version)
		if err := os.WriteFile(filepath.Join(f.dir, version+".yaml"), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// patience bounds one run of the client: whatever takes longer, hangs.
const patience = 3 * time.Minute

// run runs wheelhouse to its end, or kills it when ctx ends.
func (f *fleet) run(ctx context.Context, kubeconfig string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out bytes.Buffer
	command := exec.CommandContext(ctx, f.binary, args...)
	command.Dir = f.dir
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+f.dir)
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}

// forget deletes what a fleet has left in the cluster, in the background: the
// fleets that follow have other names.
func (h *harness) forget(ctx context.Context, f *fleet) {
	_ = os.RemoveAll(f.dir)
	ctx = context.WithoutCancel(ctx)
	h.leaving.Go(func() {
		remove := func(resource schema.GroupVersionResource, name string) {
			_ = h.observer.dynamic.Resource(resource).Delete(ctx, name, metav1.DeleteOptions{})
		}
		remove(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}, "things."+f.name+".example.com")
		for _, tenant := range strings.Fields("a b c crds") {
			remove(namespaces, f.name+"-"+tenant)
			remove(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, f.name+"-"+tenant+"-worker")
		}
	})
}
