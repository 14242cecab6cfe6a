package operator

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const pair = `
metadata: {name: pair}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    decode: {componentType: worker, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.vllm]}}}
    prefill: {componentType: prefill, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.vllm]}}}
`

func withImage(image string) func(*v1alpha1.DynamoGraphDeployment) {
	return func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["decode"].ExtraPodSpec.MainContainer.Image = "registry.example.com/runtime:" + image
	}
}

// generationsOf are the components of workers, by their hash and service.
func generationsOf(t *testing.T, namespace string) map[string]map[string]*v1alpha1.DynamoComponentDeployment {
	t.Helper()
	var list v1alpha1.DynamoComponentDeploymentList
	if err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]*v1alpha1.DynamoComponentDeployment{}
	for i, component := range list.Items {
		if component.Spec.ComponentType == v1alpha1.ComponentTypeFrontend {
			continue
		}
		hash := component.Labels[v1alpha1.LabelWorkerHash]
		if found[hash] == nil {
			found[hash] = map[string]*v1alpha1.DynamoComponentDeployment{}
		}
		found[hash][component.Spec.ServiceName] = &list.Items[i]
	}
	return found
}

// haveGenerations waits until there are just these, each with both roles, and
// both of them with so many replicas.
func haveGenerations(t *testing.T, namespace string, want map[string]int32) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprint("generations ", want), func() error {
		got := map[string]string{}
		for hash, roles := range generationsOf(t, namespace) {
			for _, service := range slices.Sorted(maps.Keys(roles)) {
				got[hash] += fmt.Sprintf("%s %d ", service, roles[service].Spec.DesiredReplicas())
			}
		}
		for hash, n := range want {
			if got[hash] != fmt.Sprintf("decode %d prefill %d ", n, n) {
				return fmt.Errorf("there are %v", got)
			}
		}
		if len(got) != len(want) {
			return fmt.Errorf("there are %v", got)
		}
		return nil
	})
}

func hashOf(t *testing.T, namespace string) string {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, "pair", dgd)
	return render.WorkerHash(dgd, render.Current)
}

// podsOfGeneration are those of both roles, which must be there.
func podsOfGeneration(t *testing.T, namespace, hash string) []types.UID {
	t.Helper()
	var uids []types.UID
	for _, service := range []string{"decode", "prefill"} {
		found := pods(t, namespace, "pair-"+service+"-"+hash)
		if len(found) == 0 {
			t.Fatalf("%s has no pods in generation %s", service, hash)
		}
		for _, pod := range found {
			uids = append(uids, pod.UID)
		}
	}
	return uids
}

// TestWorkersOfTwoSpecsServeApart takes a graph through a change, a revert in
// the middle of it under another operator, and the same change to its end.
func TestWorkersOfTwoSpecsServeApart(t *testing.T) {
	ns := namespace(t)
	operator := start(t, within(ns))
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, pair)
	create(t, dgd)
	old := hashOf(t, ns)
	haveGenerations(t, ns, map[string]int32{old: 1})
	allRun(t, ns, "pair", "pair-frontend", "pair-decode-"+old, "pair-prefill-"+old)
	serving := podsOfGeneration(t, ns, old)

	change(t, dgd, withImage("2"))
	fresh := hashOf(t, ns)
	haveGenerations(t, ns, map[string]int32{old: 1, fresh: 1})
	allRun(t, ns, "", "pair-decode-"+fresh)
	condition(t, ns, "pair", says("prefill: 1 of an earlier spec still serve"))
	if err := operator.stop(); err != nil {
		t.Fatal(err)
	}

	change(t, dgd, withImage("1"))
	operator = start(t, within(ns))
	haveGenerations(t, ns, map[string]int32{old: 1})
	condition(t, ns, "pair", isReady)
	if now := podsOfGeneration(t, ns, old); !slices.Equal(now, serving) {
		t.Errorf("the revert replaced pods that served: %v, then %v", serving, now)
	}

	change(t, dgd, withImage("2"))
	haveGenerations(t, ns, map[string]int32{old: 1, fresh: 1})
	if now := podsOfGeneration(t, ns, old); !slices.Equal(now, serving) {
		t.Errorf("the change stopped pods before others served: %v, then %v", serving, now)
	}
	allRun(t, ns, "pair", "pair-decode-"+fresh, "pair-prefill-"+fresh)
	haveGenerations(t, ns, map[string]int32{fresh: 1})
	gone(t, ns, "pair-decode-"+old, &appsv1.Deployment{})

	before := operator.settled(t)
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Annotations = map[string]string{"example.com/note": "a"} })
	condition(t, ns, "pair", isReady)
	if n := operator.writes.Load() - before; n > 0 {
		t.Errorf("%d writes for nothing", n)
	}
}

func TestRecreatedWorkersEndBeforeOthersBegin(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, pair)
	dgd.Spec.Services["prefill"].Annotations = map[string]string{v1alpha1.AnnotationDeploymentStrategy: "Recreate"}
	create(t, dgd)
	old := hashOf(t, ns)
	allRun(t, ns, "pair", "pair-frontend", "pair-decode-"+old, "pair-prefill-"+old)
	change(t, dgd, withImage("2"))
	fresh := hashOf(t, ns)
	cluster.Eventually(t, "pods of the new generation alone", func() error {
		for _, service := range []string{"pair-decode-", "pair-prefill-"} {
			before, after := len(pods(t, ns, service+old)), len(pods(t, ns, service+fresh))
			if before > 0 && after > 0 {
				t.Fatalf("%s has %d old and %d new pods", service, before, after)
			}
			if before > 0 || after == 0 {
				return fmt.Errorf("%s has %d old and %d new pods", service, before, after)
			}
		}
		return nil
	})
	allRun(t, ns, "pair", "pair-decode-"+fresh, "pair-prefill-"+fresh)
	haveGenerations(t, ns, map[string]int32{fresh: 1})
}

// asReleased makes what the operator made of a graph before there were versions.
func asReleased(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment) map[string]types.UID {
	t.Helper()
	made := map[string]types.UID{}
	for _, component := range render.Components(dgd, config.Default(), render.First) {
		if err := controllerutil.SetControllerReference(dgd, component, adminClient(t).Scheme()); err != nil {
			t.Fatal(err)
		}
		create(t, component)
		made[component.Name] = component.UID
	}
	return made
}

// TestAnUpgradeOfTheOperatorRestartsNothing: what an earlier release has made
// stays as it is until its author changes the graph.
func TestAnUpgradeOfTheOperatorRestartsNothing(t *testing.T) {
	folders := []string{filepath.Join("..", "..", "internal", "operator", "render", "testdata")}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no graphs in %s: %v", folder, err)
		}
		for _, file := range files {
			for _, graph := range graphsIn(t, file) {
				t.Run(filepath.Base(file)+"/"+graph.GetName(), func(t *testing.T) {
					dgd := &v1alpha1.DynamoGraphDeployment{}
					if err := runtime.DefaultUnstructuredConverter.FromUnstructured(graph.Object, dgd); err != nil {
						t.Fatal(err)
					}
					staysAsReleased(t, dgd)
				})
			}
		}
	}
}

func staysAsReleased(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment) {
	ns := namespace(t)
	dgd.Namespace = ns
	for _, pvc := range dgd.Spec.PVCs {
		if !pvc.Create {
			createClaim(t, ns, pvc.Name)
		}
	}
	create(t, dgd)
	made := asReleased(t, dgd)
	start(t, within(ns))
	cluster.Eventually(t, "the graph has been looked at", func() error {
		if get(t, ns, dgd.Name, dgd); dgd.Status.ObservedGeneration != dgd.Generation {
			return fmt.Errorf("observed %d of %d", dgd.Status.ObservedGeneration, dgd.Generation)
		}
		return nil
	})
	var now v1alpha1.DynamoComponentDeploymentList
	if err := adminClient(t).List(context.Background(), &now, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	for _, component := range now.Items {
		if made[component.Name] != component.UID || component.Generation != 1 {
			t.Errorf("component %s is new or of generation %d", component.Name, component.Generation)
		}
		delete(made, component.Name)
	}
	if len(made) > 0 {
		t.Errorf("components are gone: %v", made)
	}
}

// TestTheFirstChangeBringsGenerations: workers from before there were any give
// way like others.
func TestTheFirstChangeBringsGenerations(t *testing.T) {
	ns := namespace(t)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, pair)
	create(t, dgd)
	asReleased(t, dgd)
	start(t, within(ns))
	allRun(t, ns, "pair", "pair-frontend", "pair-decode", "pair-prefill")
	change(t, dgd, withImage("2"))
	fresh := hashOf(t, ns)
	haveGenerations(t, ns, map[string]int32{"": 1, fresh: 1})
	allRun(t, ns, "", "pair-decode-"+fresh, "pair-prefill-"+fresh)
	condition(t, ns, "pair", func(c metav1.Condition) bool {
		return strings.Contains(c.Message, "of an earlier spec still serve") && strings.Contains(c.Message, "Frontend: ")
	})
	allRun(t, ns, "pair", "pair-frontend")
	haveGenerations(t, ns, map[string]int32{fresh: 1})
}
