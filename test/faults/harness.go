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

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// harness is one API server with a wheelhouse binary to disturb.
type harness struct {
	cluster   *cluster.Cluster
	transport http.RoundTripper
	observer  *observer
	binary    string
	// unhurried is a binary with the lock of every day: no request may take longer than
	// a lock lasts, and the definitions of two versions take their time on a busy machine.
	unhurried func() (string, error)
	charts    string
	dir       string
	node      *node
	// ends are the states that undisturbed runs end in.
	ends map[string]state
	// counts are how many requests commands make: func() (int, error) by command.
	counts sync.Map
	// parallel is how many fleets are swept at the same time.
	parallel int
	// output receives what is worth telling while it runs.
	output  io.Writer
	speak   sync.Mutex
	fleets  atomic.Int32
	leaving sync.WaitGroup
	// alone is held by the fleet whose CRDs no other can have meanwhile.
	alone sync.Mutex
}

// newHarness builds wheelhouse and connects to a cluster. Charts is the folder
// with the small charts.
func newHarness(ctx context.Context, c *cluster.Cluster, charts string, output io.Writer) (h *harness, err error) {
	h = &harness{cluster: c, ends: map[string]state{}, parallel: 4, output: output}
	if h.charts, err = filepath.Abs(charts); err != nil {
		return nil, err
	}
	if h.dir, err = os.MkdirTemp("", "wheelhouse-faults-"); err != nil {
		return nil, err
	}
	// With a lock that is short, so that it runs out quickly again and again.
	if h.binary, err = h.build(ctx, "shortlease"); err != nil {
		return nil, err
	}
	h.unhurried = sync.OnceValues(func() (string, error) { return h.build(ctx, "") })
	if h.transport, err = rest.TransportFor(c.Config); err != nil {
		return nil, err
	}
	if h.observer, err = newObserver(h); err != nil {
		return nil, err
	}
	h.node, err = startNode(h)
	return h, err
}

func (h *harness) build(ctx context.Context, tags string) (string, error) {
	binary := filepath.Join(h.dir, "wheelhouse"+tags)
	build := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", binary, "github.com/wheelhouse-dev/wheelhouse/cmd/wheelhouse")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build wheelhouse: %w\n%s", err, out)
	}
	return binary, nil
}

// Close waits until every fleet has gone from the cluster: nothing that a
// killed client left may keep a namespace from ending.
func (h *harness) Close() error {
	h.leaving.Wait()
	h.node.stop()
	err := h.drained()
	return errors.Join(err, os.RemoveAll(h.dir))
}

// drained waits as long as namespaces go.
func (h *harness) drained() error {
	const limit = 3 * time.Minute
	before, since := 0, time.Now()
	for ; ; time.Sleep(time.Second) {
		ending, err := h.observer.ending(context.Background())
		if err != nil || len(ending) == 0 {
			return err
		}
		if len(ending) != before {
			before, since = len(ending), time.Now()
		}
		if time.Since(since) > limit {
			return fmt.Errorf("namespaces that do not end: %s", strings.Join(slices.Sorted(maps.Keys(ending)), ", "))
		}
	}
}

func (h *harness) say(format string, args ...any) {
	h.speak.Lock()
	defer h.speak.Unlock()
	fmt.Fprintf(h.output, format+"\n", args...)
}

// chartSet is what fleets are made of.
type chartSet struct {
	// source says in the fleet file where the charts are, in the folder %s.
	source string
	// files are what the files of a fleet want, by name: one.yaml, and others that
	// want something else.
	files map[string]wanted
	// tenants are the platforms, each in a namespace of this end.
	tenants string
	// group is that of the CRDs. With %s, the fleet's name, each fleet has its
	// own; without, there can be one fleet at a time.
	group string
	// objects is the plural of a kind of which each platform has an object.
	objects string
	// stores says that each platform has a StatefulSet, store, of one pod with a volume.
	stores bool
	// converts says that the nodes' stand-in runs what converts, and that there are
	// graphs to be read.
	converts bool
}

// wanted is what one file of a fleet says.
type wanted struct {
	values     string
	conversion bool
}

var (
	// smallCharts are of the same build as the real ones, with few objects. Between
	// the files an object is changed, one removed and one added; a platform of
	// broken.yaml never gets ready.
	smallCharts = &chartSet{
		source: "charts: {crds: %[1]s/crds, platform: %[1]s/platform}",
		files: map[string]wanted{
			"one.yaml": {values: "platform: {version: one}"}, "two.yaml": {values: "platform: {version: two}"},
			"broken.yaml": {values: "platform: {version: two, stuck: true}"},
		},
		tenants: "a b c", group: "%s.example.com", objects: "things",
	}
	// realCharts are those in the binary, with large CRDs. Nothing here runs
	// their operators, so nobody waits for them.
	realCharts = &chartSet{
		files: map[string]wanted{
			"one.yaml": {values: "platform: {nats: {enabled: false}, dynamo-operator: {controllerManager: {podDisruptionBudget: {enabled: true}}}}"},
			"two.yaml": {values: "platform: {nats: {enabled: false}, dynamo-operator: {controllerManager: {logLevel: debug}, webhook: {enabled: true}}}"},
		},
		tenants: "a b c", group: "nvidia.com",
	}
)

// shared: their CRDs have the same names for all fleets.
func (c *chartSet) shared() bool { return !strings.Contains(c.group, "%s") }

// fleet is a fleet with names of its own, and a folder with its files.
type fleet struct {
	*chartSet
	number            int32
	name, dir, binary string
	// written are the objects of our kinds that it must be possible to read.
	written []sample
	// pods are the identities of the pods that have volumes, by namespace.
	pods map[string]types.UID
}

// crdGroup is the group of the fleet's CRDs.
func (f *fleet) crdGroup() string {
	if f.shared() {
		return f.group
	}
	return fmt.Sprintf(f.group, f.name)
}

const fleetText = `apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: %[1]s}
spec:
  %[2]s
  crds: {namespace: %[1]s-crds, conversion: %[3]t}
  journal: {namespace: %[1]s-crds}
  values: [{%[4]s}]
  platforms: [%[5]s]
`

// newFleet writes the files of a fleet. Forget ends it.
func (h *harness) newFleet(c *chartSet) (*fleet, error) {
	if c.shared() {
		h.alone.Lock()
	}
	number := h.fleets.Add(1)
	name := fmt.Sprintf("zz%dzz", number)
	f := &fleet{chartSet: c, number: number, name: name, dir: filepath.Join(h.dir, name), binary: h.binary}
	source, folder := c.source, h.charts
	var err error
	if c.converts {
		folder = h.node.charts
		f.binary, err = h.unhurried()
	}
	if source != "" {
		source = fmt.Sprintf(source, folder)
	}
	var platforms []string
	for tenant := range strings.FieldsSeq(c.tenants) {
		platforms = append(platforms, fmt.Sprintf("{namespace: %s-%s}", name, tenant))
	}
	err = errors.Join(err, os.Mkdir(f.dir, 0o700))
	for file, says := range c.files {
		text := fmt.Sprintf(fleetText, name, source, says.conversion, says.values, strings.Join(platforms, ", "))
		err = errors.Join(err, os.WriteFile(filepath.Join(f.dir, file), []byte(text), 0o600))
	}
	if err != nil {
		h.forget(context.Background(), f)
		return nil, err
	}
	return f, nil
}

// patience bounds one run of the client: whatever takes longer, hangs.
const patience = 10 * time.Minute

// run runs wheelhouse to its end, or kills it when ctx ends.
func (f *fleet) run(ctx context.Context, kubeconfig string, args []string) (string, error) {
	return f.runBy(ctx, f.binary, kubeconfig, args)
}

func (f *fleet) runBy(ctx context.Context, binary, kubeconfig string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out bytes.Buffer
	command := exec.CommandContext(ctx, binary, args...)
	command.Dir = f.dir
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+f.dir)
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}

// forget deletes what a fleet has left in the cluster, in the background: the
// fleets that follow have other names, or wait.
func (h *harness) forget(ctx context.Context, f *fleet) {
	_ = os.RemoveAll(f.dir)
	ctx = context.WithoutCancel(ctx)
	// Some go with their namespaces, to see that these end.
	withNamespaces := f.number%10 == 0
	h.leaving.Go(func() {
		if f.shared() {
			defer h.alone.Unlock()
		}
		if err := h.observer.remove(ctx, f, withNamespaces); err != nil {
			h.say("fleet %s: %s", f.name, err)
		}
	})
}
