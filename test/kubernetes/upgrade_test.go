//go:build kubernetes

// Package kubernetes upgrades the cluster itself under a fleet that runs there.
package kubernetes

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const fleet = `apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: live}
spec:
  values: [{platform: {nats: {enabled: false}}}]
  platforms:
    - namespace: team-a
    - namespace: team-b
`

const configuration = `apiVersion: operator.config.dynamo.nvidia.com/v1alpha1
kind: OperatorConfiguration
namespace: {restricted: team-a}
leaderElection: {enabled: false}
server:
  metrics: {bindAddress: "0"}
  healthProbe: {bindAddress: "0"}
`

// A cluster is upgraded while a fleet and its graphs are there, from the version of
// DRYDOCK_KUBERNETES to that which drydock carries, or to it if it is the newer one:
// the next plan is empty, nothing has drifted, and the operator, started anew, writes
// nothing.
func TestAClusterIsUpgradedUnderAFleet(t *testing.T) {
	older, newer := versions(t)
	t.Setenv("DRYDOCK_KUBERNETES", older)
	l := begin(t)
	l.wheelhouse("apply", "-f", l.fleet, "--no-wait")
	l.createGraphs()
	stop := l.startOperator()
	l.settle()
	stop()
	l.nothingToDo()

	if err := l.c.ChangeKubernetes(newer); err != nil {
		t.Fatal(err)
	}
	l.settle() // the controllers of the new version take over
	l.nothingToDo()

	since := time.Now()
	stop = l.startOperator()
	l.settle()
	time.Sleep(20 * time.Second) // what waits for something looks again every quarter of a minute
	stop()
	if wrote := l.wrote(since); len(wrote) > 0 {
		t.Errorf("the operator wrote after the upgrade: %s", strings.Join(wrote, "; "))
	}
	l.write(l.fleet, fleet+"      values: [{platform: {dynamo-operator: {controllerManager: {logLevel: debug}}}}]\n")
	l.wheelhouse("apply", "-f", l.fleet, "--no-wait")
	l.wheelhouse("rollback", "-f", l.fleet, "--yes", "--no-wait")
	l.wheelhouse("destroy", "-f", l.fleet, "--yes", "--with-graphs")
}

// versions are that of DRYDOCK_KUBERNETES and, as "", drydock's own, the older one first.
func versions(t *testing.T) (older, newer string) {
	t.Helper()
	module, err := os.ReadFile("../../drydock/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(`k8s\.io/kubernetes v(\S+)`).FindSubmatch(module)
	if own == nil {
		t.Fatal("drydock/go.mod requires no Kubernetes")
	}
	other := os.Getenv("DRYDOCK_KUBERNETES")
	if semver.MustParse(other).GreaterThan(semver.MustParse(string(own[1]))) {
		return "", other
	}
	return other, ""
}

// live is a fleet that runs, with the programs that look after it.
type live struct {
	t          *testing.T
	c          *cluster.Cluster
	admin      client.Client
	dir, fleet string
	graphs     int
}

func begin(t *testing.T) *live {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	l := &live{t: t, c: cluster.Start(t), dir: t.TempDir()}
	l.fleet = filepath.Join(l.dir, "fleet.yaml")
	for _, program := range []string{"wheelhouse", "operator"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", l.dir+"/", "../../cmd/"+program).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	var err error
	if l.admin, err = client.New(l.c.Config, client.Options{Scheme: manager.Scheme()}); err != nil {
		t.Fatal(err)
	}
	l.write(l.fleet, fleet)
	l.write(filepath.Join(l.dir, "operator.yaml"), configuration)
	return l
}

func (l *live) write(file, text string) {
	l.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) wheelhouse(args ...string) string {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), filepath.Join(l.dir, "wheelhouse"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.c.Kubeconfig)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("wheelhouse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// nothingToDo sees that the cluster is as the file wants it.
func (l *live) nothingToDo() {
	l.t.Helper()
	if out := l.wheelhouse("plan", "-f", l.fleet, "--drift"); !strings.Contains(out, "No changes: 3 releases") {
		l.t.Errorf("the plan says\n%s", out)
	}
}

// createGraphs makes every graph that the renderer has a golden file for, as far
// as admission takes it.
func (l *live) createGraphs() {
	l.t.Helper()
	files, err := filepath.Glob("../../internal/operator/render/testdata/*.yaml")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			l.t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			graph := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &graph.Object); err != nil || graph.GetKind() != v1alpha1.KindGraphDeployment {
				continue // what came of a graph, or a file with values
			}
			graph.SetNamespace("team-a")
			if err := l.admin.Create(l.t.Context(), graph); err == nil {
				l.graphs++
			}
		}
	}
	if l.graphs < 5 {
		l.t.Fatalf("only %d graphs were taken", l.graphs)
	}
	l.t.Logf("%d graphs", l.graphs)
}

// startOperator runs the operator of team-a until it is stopped.
func (l *live) startOperator() (stop func()) {
	l.t.Helper()
	var said bytes.Buffer
	process := exec.CommandContext(l.t.Context(), filepath.Join(l.dir, "operator"), "--config", filepath.Join(l.dir, "operator.yaml"))
	process.Env = append(os.Environ(), "KUBECONFIG="+l.c.Kubeconfig)
	process.Stdout, process.Stderr = &said, &said
	if err := process.Start(); err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := process.Process.Signal(os.Interrupt); err != nil {
			l.t.Errorf("the operator ended by itself: %v\n%s", err, &said)
		}
		_ = process.Wait() // it was stopped
	}
}

// settle waits until every graph has been looked at, and nobody has written anything for some seconds.
func (l *live) settle() {
	l.t.Helper()
	cluster.Eventually(l.t, "a cluster in which nobody writes", func() error {
		graphs := &v1alpha1.DynamoGraphDeploymentList{}
		if err := l.admin.List(l.t.Context(), graphs, client.InNamespace("team-a")); err != nil {
			return err
		}
		for _, g := range graphs.Items {
			if g.Status.ObservedGeneration != g.Generation {
				return fmt.Errorf("nobody has looked at graph %s", g.Name)
			}
		}
		since := time.Now()
		time.Sleep(4 * time.Second)
		if wrote := l.wrote(since); len(wrote) > 0 {
			return fmt.Errorf("written: %s", wrote[0])
		}
		return nil
	})
}

// wrote lists what anybody changed since a moment, but for Leases and what the API server writes for itself.
func (l *live) wrote(since time.Time) []string {
	l.t.Helper()
	requests, err := l.c.Requests("", since)
	if err != nil {
		l.t.Fatal(err)
	}
	var wrote []string
	for _, r := range requests {
		if r.Writes() && r.ObjectRef.Resource != "leases" && !strings.HasPrefix(r.User.Username, "system:apiserver") {
			wrote = append(wrote, fmt.Sprintf("%s %s %s %s/%s (%d)", r.Agent, r.Verb, r.ObjectRef.Resource, r.ObjectRef.Namespace, r.ObjectRef.Name, r.Response.Code))
		}
	}
	slices.Sort(wrote)
	return slices.Compact(wrote)
}
