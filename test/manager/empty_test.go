package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// modes are ways to run the platform that we ship, as what stands under
// dynamo-operator in its values.
var modes = []struct{ name, scope, operator string }{
	{"plain", "namespace", "{}"},
	{"available", "namespace", "{controllerManager: {replicas: 2}}"},
	{"hooked", "namespace", "{webhook: {enabled: true}}"},
}

// With the charts that we ship, a second plan is empty: neither the server's
// defaults nor its normalisation of fields count as changes.
func TestASecondPlanIsEmpty(t *testing.T) {
	c := cluster.Start(t)
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			fleet := modeFleet(t, mode.name, mode.scope, mode.operator)
			if out, err := wheelhouse(t, c, "apply", "-f", fleet, "--no-wait"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			planIsEmpty(t, c, fleet)
		})
	}
	t.Run("cluster-wide", func(t *testing.T) {
		wide := cluster.Start(t)
		fleet := modeFleet(t, "wide", "cluster", "{}")
		if out, err := wheelhouse(t, wide, "apply", "-f", fleet, "--no-wait"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		planIsEmpty(t, wide, fleet)
	})
}

// What plain Helm installed, by client-side apply and with other values, is
// exactly what the plan foretold after its adoption, with the same UIDs, and
// then nothing is left to do.
func TestAdoptionDoesWhatThePlanSays(t *testing.T) {
	c := cluster.Start(t)
	first := modeFleet(t, "first", "namespace", "{}")
	if out, err := wheelhouse(t, c, "apply", "-f", first, "--no-wait"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pack := packaged(t, "platform")
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			namespace := "adopt-" + mode.name
			values := filepath.Join(t.TempDir(), "values.yaml")
			// Other values than the fleet's, so that there is something to change.
			text := "nats: {enabled: false}\ndynamo-operator: {namespaceRestriction: {enabled: true}, controllerManager: {replicas: 3, logLevel: debug}}\n"
			if err := os.WriteFile(values, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			helm(t, c, "install", "-n", namespace, "--create-namespace", "--server-side=false", "dynamo-platform", pack, "-f", values)

			fleet := modeFleet(t, "adopt-"+mode.name, mode.scope, mode.operator)
			plan := planned(t, c, fleet)
			before := live(t, c, plan)
			if out, err := wheelhouse(t, c, "apply", "-f", fleet, "--no-wait", "--adopt", "--yes"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			after := live(t, c, plan)
			compared := 0
			for name, change := range updates(plan) {
				if before[name] == nil || after[name] == nil {
					t.Errorf("%s: before %v, after %v", name, before[name], after[name])
					continue
				}
				if before[name].GetUID() != after[name].GetUID() {
					t.Errorf("%s was recreated", name)
				}
				if diff := cmp.Diff(counted.ReplaceAllString(change.After, ""), bare(t, after[name])); diff != "" && after[name].GetKind() != "Secret" {
					t.Errorf("%s is not what the plan said:\n%s", name, diff)
				}
				compared++
			}
			if compared == 0 {
				t.Error("the plan changed nothing: there is nothing to compare")
			}
			planIsEmpty(t, c, fleet)
		})
	}
}

func modeFleet(t *testing.T, name, scope, operator string) string {
	t.Helper()
	return writeFleet(t, fmt.Sprintf(`metadata: {name: fleet}
spec:
  values: [{platform: {nats: {enabled: false}, dynamo-operator: %s}}]
  platforms: [{namespace: %s, scope: %s}]
`, operator, name, scope))
}

func planIsEmpty(t *testing.T, c *cluster.Cluster, fleet string) {
	t.Helper()
	if out, err := wheelhouse(t, c, "plan", "-f", fleet, "--drift"); err != nil || !strings.Contains(out, "No changes") {
		t.Errorf("a second plan is not empty: %v\n%s", err, out)
	}
}

func planned(t *testing.T, c *cluster.Cluster, fleet string) *rollout.Plan {
	t.Helper()
	command := exec.CommandContext(context.Background(), filepath.Join(tools, "wheelhouse"), "plan", "-f", fleet, "-o", "json")
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	// The exit code 2 says that there are changes.
	out, _ := command.Output()
	plan := &rollout.Plan{}
	if err := json.Unmarshal(out, plan); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return plan
}

func updates(plan *rollout.Plan) map[string]rollout.Change {
	out := map[string]rollout.Change{}
	for _, step := range plan.Steps {
		for _, change := range step.Changes {
			if change.Action == rollout.ChangeUpdate {
				out[change.String()] = change
			}
		}
	}
	return out
}

// live reads the objects that a plan updates.
func live(t *testing.T, c *cluster.Cluster, plan *rollout.Plan) map[string]*unstructured.Unstructured {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Discovery()))
	out := map[string]*unstructured.Unstructured{}
	for name, change := range updates(plan) {
		mapping := mappingOf(t, mapper, change)
		object, err := client.Resource(mapping.Resource).Namespace(change.Namespace).Get(t.Context(), change.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out[name] = object
	}
	return out
}

func mappingOf(t *testing.T, mapper meta.RESTMapper, change rollout.Change) *meta.RESTMapping {
	t.Helper()
	var head metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(change.After), &head); err != nil {
		t.Fatal(err)
	}
	gvk := schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)
	mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	return mapping
}

// bare is an object as a plan writes it, without the server's bookkeeping.
func bare(t *testing.T, u *unstructured.Unstructured) string {
	t.Helper()
	o := u.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	delete(o.Object, "status")
	text, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return counted.ReplaceAllString(string(text), "")
}

// counted is how the Deployment controller counts changes, after they are made.
var counted = regexp.MustCompile(`(?m)^ *deployment.kubernetes.io/revision: .*\n`)

// packaged writes a chart of the binary as a package for helm.
func packaged(t *testing.T, key string) string {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Package()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), c.FileName())
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func helm(t *testing.T, c *cluster.Cluster, args ...string) {
	t.Helper()
	command := exec.CommandContext(context.Background(), filepath.Join(tools, "helm"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("helm %s: %v\n%s", args[0], err, out)
	}
}
