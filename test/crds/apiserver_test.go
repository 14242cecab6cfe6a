package crds

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// patience is how long the API server may take to serve a new definition.
const patience = 30 * time.Second

// TestOnAPIServer runs everything that only a real API server can tell, on one server.
func TestOnAPIServer(t *testing.T) {
	server := cluster.Start(t)
	users := newClient(t, server)
	t.Run("Apply", func(t *testing.T) { testApplyDefinitions(t, users) })
	if t.Failed() {
		t.Fatal("the definitions are not served, so nothing else can work")
	}
	t.Run("Accepted", func(t *testing.T) { testAccepted(t, users) })
	t.Run("Rejected", func(t *testing.T) { testRejected(t, users) })
	t.Run("RejectedUpdates", func(t *testing.T) { testRejectedUpdates(t, users) })
	t.Run("Defaults", func(t *testing.T) { testDefaults(t, users) })
	t.Run("Nulls", func(t *testing.T) { testNulls(t, users) })
	t.Run("PodTemplateKeepsItsLabels", func(t *testing.T) { testPodTemplateKeepsItsLabels(t, users) })
	t.Run("TypedApply", func(t *testing.T) { testTypedApply(t, users) })
	t.Run("Scale", func(t *testing.T) { testScale(t, users) })
	t.Run("Explain", func(t *testing.T) { testExplain(t, server) })
	t.Run("Rights", func(t *testing.T) { testRights(t, server) })
	t.Run("HelmUninstallKeepsTheDefinitions", func(t *testing.T) { testHelmUninstall(t, server, users) })
}

// newClient returns a client that refuses unknown fields, as kubectl does.
func newClient(t *testing.T, server *cluster.Cluster) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiextensionsv1.AddToScheme, autoscalingv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	users, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(users, "Strict")
}

// apply applies a copy of an object server-side and returns what the server made of it.
func apply(ctx context.Context, users client.Client, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	applied := object.DeepCopy()
	err := users.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("test"))
	return applied, err
}

func testApplyDefinitions(t *testing.T, users client.Client) {
	for kind, definition := range definitions(t) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(definition)
		if err != nil {
			t.Fatal(err)
		}
		delete(content, "status")
		object := &unstructured.Unstructured{Object: content}
		first, err := apply(t.Context(), users, object)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		waitUntilEstablished(t, users, first.GetName())
		before := resourceVersion(t, users, first)
		second, err := apply(t.Context(), users, object)
		if err != nil {
			t.Errorf("%s, second time: %v", kind, err)
			continue
		}
		if after := second.GetResourceVersion(); before != after {
			t.Errorf("%s: applying the definition again changed it", kind)
		}
	}
}

func resourceVersion(t *testing.T, users client.Client, object *unstructured.Unstructured) string {
	t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	if err := users.Get(t.Context(), client.ObjectKeyFromObject(object), live); err != nil {
		t.Fatal(err)
	}
	return live.GetResourceVersion()
}

func waitUntilEstablished(t *testing.T, users client.Client, name string) {
	t.Helper()
	definition := &apiextensionsv1.CustomResourceDefinition{}
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		if err := users.Get(ctx, client.ObjectKey{Name: name}, definition); err != nil {
			return false, err
		}
		return isTrue(definition, apiextensionsv1.Established), nil
	})
	if err != nil {
		t.Fatalf("%s is not established: %v\n%+v", name, err, definition.Status.Conditions)
	}
	if isTrue(definition, apiextensionsv1.NonStructuralSchema) {
		t.Errorf("%s has no structural schema: %+v", name, definition.Status.Conditions)
	}
}

func isTrue(definition *apiextensionsv1.CustomResourceDefinition, condition apiextensionsv1.CustomResourceDefinitionConditionType) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == condition {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

func testAccepted(t *testing.T, users client.Client) {
	for name, object := range acceptedObjects(t) {
		t.Run(name, func(t *testing.T) {
			object.SetNamespace(namespace)
			if err := users.Create(t.Context(), object.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("create: %v", err)
			}
			first, err := apply(t.Context(), users, object)
			if err != nil {
				t.Fatalf("apply: %v", err)
			}
			second, err := apply(t.Context(), users, object)
			if err != nil {
				t.Fatalf("apply again: %v", err)
			}
			if first.GetResourceVersion() != second.GetResourceVersion() {
				t.Error("applying the object again changed it")
			}
			if err := users.Delete(t.Context(), first); err != nil {
				t.Error(err)
			}
		})
	}
}

func testDefaults(t *testing.T, users client.Client) {
	graph := object(t, v1alpha1.KindGraphDeployment, "defaults", `
restart: {id: a, strategy: {}}
services:
  Worker:
    multinode: {}
    scalingAdapter: {}
    checkpoint: {}
    volumeMounts: [{name: models, mountPoint: /models}]`)
	checkDefault(t, users, graph, "Sequential", "spec", "restart", "strategy", "type")
	checkDefault(t, users, graph, int64(2), "spec", "services", "Worker", "multinode", "nodeCount")
	checkDefault(t, users, graph, false, "spec", "services", "Worker", "scalingAdapter", "enabled")
	checkDefault(t, users, graph, false, "spec", "services", "Worker", "checkpoint", "enabled")
	checkDefault(t, users, graph, "Auto", "spec", "services", "Worker", "checkpoint", "mode")

	request := object(t, v1alpha1.KindGraphDeploymentRequest, "defaults", `
model: m
backend: vllm
profilingConfig: {profilerImage: i, configMapRef: {name: base}}`)
	checkDefault(t, users, request, false, "spec", "useMocker")
	checkDefault(t, users, request, false, "spec", "enableGpuDiscovery")
	checkDefault(t, users, request, false, "spec", "autoApply")
	checkDefault(t, users, request, "disagg.yaml", "spec", "profilingConfig", "configMapRef", "key")

	model := object(t, v1alpha1.KindModel, "defaults", `{modelName: m, baseModelName: m}`)
	checkDefault(t, users, model, "base", "spec", "modelType")

	checkpoint := object(t, v1alpha1.KindCheckpoint, "defaults", `
identity: {model: m, backendFramework: vllm}
job: {podTemplateSpec: {spec: {containers: [{name: main}]}}}`)
	checkDefault(t, users, checkpoint, int64(1), "spec", "identity", "tensorParallelSize")
	checkDefault(t, users, checkpoint, int64(1), "spec", "identity", "pipelineParallelSize")
	checkDefault(t, users, checkpoint, int64(3600), "spec", "job", "activeDeadlineSeconds")
	checkDefault(t, users, checkpoint, int64(3), "spec", "job", "backoffLimit")
	checkDefault(t, users, checkpoint, int64(300), "spec", "job", "ttlSecondsAfterFinished")
}

// checkDefault checks the value of a field after the server has filled in the defaults.
func checkDefault(t *testing.T, users client.Client, object *unstructured.Unstructured, want any, path ...string) {
	t.Helper()
	created := object.DeepCopy()
	if err := users.Create(t.Context(), created, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	got, found, err := unstructured.NestedFieldNoCopy(created.Object, path...)
	if err != nil || !found || got != want {
		t.Errorf("%s %v: got %v (%v), want %v", object.GetKind(), path, got, err, want)
	}
}

// testNulls covers the empty values that people's files contain. The server drops them on creation. On
// server-side apply it refuses them, so the one field that is known to be written so is nullable.
func testNulls(t *testing.T, users client.Client) {
	const spec = `
services:
  Absent: null
  Frontend: {componentType: frontend, resources: null}`
	created := object(t, v1alpha1.KindGraphDeployment, "nulls", spec)
	if err := users.Create(t.Context(), created, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	services, _, _ := unstructured.NestedMap(created.Object, "spec", "services")
	want := map[string]any{"Frontend": map[string]any{"componentType": "frontend"}}
	if diff := cmp.Diff(want, services); diff != "" {
		t.Errorf("unexpected services (-want +got):\n%s", diff)
	}

	_, err := apply(t.Context(), users, object(t, v1alpha1.KindGraphDeployment, "nulls", spec))
	checkRejected(t, err, []string{"spec.services.Absent", "spec.services.Frontend.resources"})

	nullable := object(t, v1alpha1.KindGraphDeployment, "nulls", `services: {W: {subComponentType: null}}`)
	if _, err := apply(t.Context(), users, nullable); err != nil {
		t.Error(err)
	}
}

func testPodTemplateKeepsItsLabels(t *testing.T, users client.Client) {
	checkpoint := object(t, v1alpha1.KindCheckpoint, "labels", `
identity: {model: m, backendFramework: vllm}
job: {podTemplateSpec: {metadata: {labels: {team: a}}, spec: {containers: [{name: main}]}}}`)
	checkDefault(t, users, checkpoint, "a", "spec", "job", "podTemplateSpec", "metadata", "labels", "team")
}

// testTypedApply applies what users wrote and then the same through the Go types, as the operator does.
// It must mean the same to the server, and doing it again must change nothing.
func testTypedApply(t *testing.T, users client.Client) {
	for _, object := range readObjects(t, "testdata/accepted/graph-everything.yaml") {
		object.SetNamespace(namespace)
		written, err := apply(t.Context(), users, object)
		if err != nil {
			t.Fatal(err)
		}
		typed := throughTypes(t, users, object)
		first, err := apply(t.Context(), users, typed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withoutEmpty(written.Object["spec"]), withoutEmpty(first.Object["spec"])); diff != "" {
			t.Errorf("applying the typed object changed the spec (-written +typed):\n%s", diff)
		}
		second, err := apply(t.Context(), users, typed)
		if err != nil {
			t.Fatal(err)
		}
		if first.GetResourceVersion() != second.GetResourceVersion() {
			t.Error("applying the typed object again changed it")
		}
	}
}

// throughTypes reads a graph into its Go type and returns what the type makes of its spec.
func throughTypes(t *testing.T, users client.Client, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	graph := &v1alpha1.DynamoGraphDeployment{}
	if err := users.Get(t.Context(), client.ObjectKeyFromObject(object), graph); err != nil {
		t.Fatal(err)
	}
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&graph.Spec)
	if err != nil {
		t.Fatal(err)
	}
	typed := object.DeepCopy()
	typed.Object["spec"] = spec
	return typed
}

func testScale(t *testing.T, users client.Client) {
	created := object(t, v1alpha1.KindScalingAdapter, "scaled", `
replicas: 1
dgdRef: {name: graph, serviceName: Worker}`)
	if err := users.Create(t.Context(), created); err != nil {
		t.Fatal(err)
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
	if err := users.SubResource("scale").Update(t.Context(), created, client.WithSubResourceBody(scale)); err != nil {
		t.Fatal(err)
	}
	adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{}
	if err := users.Get(t.Context(), client.ObjectKeyFromObject(created), adapter); err != nil {
		t.Fatal(err)
	}
	if adapter.Spec.Replicas != 3 {
		t.Errorf("got %d replicas after scaling, want 3", adapter.Spec.Replicas)
	}
	adapter.Status = v1alpha1.DynamoGraphDeploymentScalingAdapterStatus{Replicas: 2, Selector: "a=b"}
	if err := users.Status().Update(t.Context(), adapter); err != nil {
		t.Fatal(err)
	}
	if err := users.SubResource("scale").Get(t.Context(), adapter, scale); err != nil {
		t.Fatal(err)
	}
	if scale.Status.Replicas != 2 || scale.Status.Selector != "a=b" {
		t.Errorf("got scale status %+v, want 2 replicas and selector a=b", scale.Status)
	}
}

// testExplain reads the document behind `kubectl explain`, which the server publishes with a delay.
func testExplain(t *testing.T, server *cluster.Cluster) {
	clients, err := discovery.NewDiscoveryClientForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	const description = "Services are the parts of the graph"
	err = wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		paths, err := clients.OpenAPIV3().Paths()
		if err != nil {
			return false, err
		}
		group, found := paths["apis/nvidia.com/v1alpha1"]
		if !found {
			return false, nil
		}
		document, err := group.Schema("application/json")
		if err != nil {
			return false, err
		}
		return bytes.Contains(document, []byte(description)), nil
	})
	if err != nil {
		t.Errorf("kubectl explain would not show %q: %v", description, err)
	}
}
