package versions

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// The twins say the same.
const (
	twinInAlpha = `
services:
  Frontend: {componentType: frontend, replicas: 1, extraPodSpec: {mainContainer: {image: "r:1"}}}
  decode:
    componentType: worker
    subComponentType: decode
    replicas: 2
    envs: [{name: A, value: "1"}]
    resources: {limits: {gpu: "1"}}
    extraPodSpec: {nodeSelector: {a: b}, mainContainer: {image: "r:1", args: ["python3 -m dynamo.vllm --model m"]}}
`
	twinInBeta = `
components:
- {name: Frontend, type: frontend, replicas: 1, podTemplate: {spec: {containers: [{name: main, image: "r:1"}]}}}
- name: decode
  type: decode
  replicas: 2
  podTemplate:
    spec:
      nodeSelector: {a: b}
      containers:
      - name: main
        image: "r:1"
        args: ["python3 -m dynamo.vllm --model m"]
        env: [{name: A, value: "1"}]
        resources: {limits: {nvidia.com/gpu: "1"}}
`
)

// Two managers apply one graph in two versions: each field has its owner, whoever
// takes one of the other's is told, and whoever says the same again changes nothing.
func TestTwoManagersApplyInTwoVersions(t *testing.T) {
	ns := cluster.Namespace(t, adminClient(t))
	inAlpha := graph(t, alpha, ns, twinInAlpha)
	mustApply(t, "flux", inAlpha)
	patch := func(spec string) *unstructured.Unstructured {
		return graph(t, beta, ns, "components: [{name: decode, "+spec+"}]")
	}
	labels := "podTemplate: {metadata: {labels: {team: a}}, spec: {containers: [{name: main, env: [{name: B, value: '2'}]}]}}"
	mustApply(t, "argo", patch(labels))

	err := apply(t, "argo", patch(labels+", replicas: 3"))
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "flux"`) {
		t.Errorf("the other's replicas are taken without a word: %v", err)
	}
	before := read(t, alpha, ns)
	spec := before.Object["spec"].(map[string]any)["services"].(map[string]any)["decode"].(map[string]any)
	for field, want := range map[string]string{
		"replicas": "2", "envs": "A", "extraPodMetadata": "team", "extraPodSpec": "nodeSelector",
	} {
		if got := fmt.Sprint(spec[field]); !strings.Contains(got, want) {
			t.Errorf("%s is %s", field, got)
		}
	}
	owners := map[string]string{}
	for _, entry := range before.GetManagedFields() {
		owners[entry.Manager+" "+entry.APIVersion] += entry.FieldsV1.GetRawString()
	}
	for owner, want := range map[string]string{"flux " + alpha: `"f:services"`, "argo " + beta: `k:{\"name\":\"decode\"}`} {
		if !strings.Contains(owners[owner], want) {
			t.Errorf("%s owns %s", owner, owners[owner])
		}
	}
	for range 2 {
		mustApply(t, "flux", inAlpha)
		mustApply(t, "argo", patch(labels))
	}
	if after := read(t, alpha, ns); after.GetResourceVersion() != before.GetResourceVersion() {
		t.Errorf("to say the same again changes:\n%s", cmp.Diff(asJSON(t, before.Object), asJSON(t, after.Object)))
	}

	// Each takes back its own alone.
	mustApply(t, "argo", patch("type: decode"))
	left := asJSON(t, read(t, alpha, ns).Object["spec"])
	if strings.Contains(left, "team") || strings.Contains(left, `"B"`) || !strings.Contains(left, `"A"`) {
		t.Errorf("after one has taken back what is its own: %s", left)
	}
}

// An author who writes the same in the other version changes nothing.
func TestAnAuthorChangesTheVersion(t *testing.T) {
	ns := cluster.Namespace(t, adminClient(t))
	mustApply(t, "kubectl", graph(t, alpha, ns, twinInAlpha))
	// What the API server fills in by itself is there from now on.
	first := read(t, alpha, ns)
	for _, version := range []string{beta, alpha, beta} {
		spec := map[string]string{alpha: twinInAlpha, beta: twinInBeta}[version]
		mustApply(t, "kubectl", graph(t, version, ns, spec))
		now := read(t, alpha, ns)
		if diff := cmp.Diff(rendered(t, first), rendered(t, now)); diff != "" {
			t.Errorf("written in %s (-before +after):\n%s", version, diff)
		}
		if managers := now.GetManagedFields(); len(managers) != 1 || managers[0].APIVersion != version {
			t.Errorf("written in %s, its managers are %s", version, asJSON(t, managers))
		}
	}
}

// rendered is what the parts of a graph are made of.
func rendered(t *testing.T, g *unstructured.Unstructured) string {
	t.Helper()
	beta := read(t, beta, g.GetNamespace())
	return asJSON(t, beta.Object["spec"])
}

// Every graph that we have survives the way through the API server, an edit in
// the other version included.
func TestGraphsSurviveTheAPIServer(t *testing.T) {
	files, err := filepath.Glob("../../internal/operator/render/testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.Contains(file, ".golden.") })
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ns := cluster.Namespace(t, adminClient(t))
			g := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(data, &g.Object); err != nil {
				t.Fatal(err)
			}
			g.SetNamespace(ns)
			g.SetName("g")
			mustApply(t, "first", g)
			stored := read(t, alpha, ns)

			// Who reads in v1beta1 and writes it back has changed nothing.
			other := read(t, beta, ns)
			if err := adminClient(t).Update(t.Context(), other, client.FieldOwner("second")); err != nil {
				t.Fatal(err)
			}
			same(t, "written back", stored, read(t, alpha, ns))

			// An edit is there in both, and its taking back leaves nothing behind.
			other = read(t, beta, ns)
			components, _, err := unstructured.NestedSlice(other.Object, "spec", "components")
			if err != nil || len(components) == 0 {
				t.Fatal(components, err)
			}
			at := slices.IndexFunc(components, func(c any) bool {
				return !slices.Contains([]any{"epp", "planner"}, c.(map[string]any)["type"]) // of these there is one
			})
			last := components[at].(map[string]any)
			replicas, had := last["replicas"]
			edit := func(change func()) {
				change()
				other.Object["spec"].(map[string]any)["components"] = components
				other.SetResourceVersion(read(t, beta, ns).GetResourceVersion())
				if err := adminClient(t).Update(t.Context(), other, client.FieldOwner("second")); err != nil {
					t.Fatal(err)
				}
			}
			edit(func() { last["replicas"] = int64(7) })
			services := read(t, alpha, ns).Object["spec"].(map[string]any)["services"].(map[string]any)
			if got := services[last["name"].(string)].(map[string]any)["replicas"]; got != int64(7) {
				t.Errorf("replicas in v1alpha1 are %v", got)
			}
			edit(func() {
				if last["replicas"] = replicas; !had {
					delete(last, "replicas")
				}
			})
			same(t, "edited and back", stored, read(t, alpha, ns))
		})
	}
}

func same(t *testing.T, when string, before, after *unstructured.Unstructured) {
	t.Helper()
	if diff := cmp.Diff(asJSON(t, plain(before.Object["spec"])), asJSON(t, plain(after.Object["spec"]))); diff != "" {
		t.Errorf("%s (-before +after):\n%s", when, diff)
	}
}

// plain leaves out resources: {}, which Kubernetes' own types say of each container
// of which nobody says anything.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := map[string]any{}
		for key, inner := range value {
			if empty, is := inner.(map[string]any); !is || key != "resources" || len(empty) > 0 {
				copied[key] = plain(inner)
			}
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = plain(inner)
		}
		return copied
	}
	return value
}

// Two tenants, each with an operator of its own and another version: the same comes
// of the same graph, each is told in its words, and who changes to the
// other version replaces no pod.
func TestTwoTenantsWriteTwoVersions(t *testing.T) {
	c := adminClient(t)
	specs := map[string]string{alpha: twinInAlpha, beta: twinInBeta}
	tenants := map[string]string{}
	made := map[string]string{}
	for version, spec := range specs {
		ns := cluster.Namespace(t, c)
		tenants[version] = ns
		startOperator(t, ns)
		mustApply(t, "kubectl", graph(t, version, ns, spec))
		made[version] = strings.ReplaceAll(templates(t, ns), ns, "NAMESPACE")
	}
	if diff := cmp.Diff(made[alpha], made[beta]); diff != "" {
		t.Errorf("-of v1alpha1 +of v1beta1:\n%s", diff)
	}

	ns := tenants[beta]
	mustApply(t, "kubectl", graph(t, alpha, ns, twinInAlpha))
	observed(t, ns)
	if diff := cmp.Diff(made[beta], strings.ReplaceAll(templates(t, ns), ns, "NAMESPACE")); diff != "" {
		t.Errorf("written in the other version, pods are replaced:\n%s", diff)
	}

	for version, image := range map[string]string{alpha: `, extraPodSpec: {mainContainer: {image: "r:1"}}`, beta: `, image: "r:1"`} {
		ns := tenants[version]
		mustApply(t, "kubectl", graph(t, version, ns, strings.Replace(specs[version], image, "", 1)))
		want := map[string]string{
			alpha: "spec.services[Frontend].extraPodSpec.mainContainer.image",
			beta:  "spec.components[name=Frontend].podTemplate.spec.containers[name=main].image",
		}[version]
		cluster.Eventually(t, "a condition in the words of "+version, func() error {
			return says(t, version, ns, want)
		})
	}
}

// templates are the pod templates of a graph's Deployments, once it has two.
func templates(t *testing.T, namespace string) string {
	t.Helper()
	var list appsv1.DeploymentList
	cluster.Eventually(t, "the Deployments in "+namespace, func() error {
		if err := adminClient(t).List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		if len(list.Items) != 2 {
			return fmt.Errorf("%d Deployments", len(list.Items))
		}
		return nil
	})
	all := map[string]any{}
	for _, d := range list.Items {
		all[d.Name] = d.Spec
	}
	return asJSON(t, all)
}

// observed waits until the operator has seen the present spec.
func observed(t *testing.T, namespace string) {
	t.Helper()
	cluster.Eventually(t, "the operator sees the change", func() error {
		g := &v1alpha1.DynamoGraphDeployment{}
		if err := adminClient(t).Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "g"}, g); err != nil {
			return err
		}
		if g.Status.ObservedGeneration != g.Generation {
			return fmt.Errorf("it has seen generation %d of %d", g.Status.ObservedGeneration, g.Generation)
		}
		return nil
	})
}

func says(t *testing.T, version, namespace, want string) error {
	t.Helper()
	g := read(t, version, namespace)
	conditions, _, err := unstructured.NestedSlice(g.Object, "status", "conditions")
	if err != nil {
		return err
	}
	if text := asJSON(t, conditions); !strings.Contains(text, want) {
		return fmt.Errorf("the conditions are %s", text)
	}
	return nil
}
