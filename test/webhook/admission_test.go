package webhook

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	goodGraph = `
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: good}
spec: {services: {Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: registry.example.com/runtime:1}}}}}
`
	// badGraph is a graph that its schema has nothing against.
	badGraph = `
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: bad}
spec: {services: {Frontend: {componentType: frontend}}}
`
	reason = "spec.services[Frontend].extraPodSpec.mainContainer.image: Required value"
)

// refused checks that an error is the webhooks' own answer and names a field.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "admission webhook") || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a webhook's refusal with %q", err, want)
	}
}

func TestWrongObjectsAreRefusedWithTheField(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	ns := cluster.Namespace(t, adminClient(t))
	for name, test := range map[string]struct{ object, want string }{
		"graph":     {badGraph, reason},
		"component": {"{apiVersion: nvidia.com/v1alpha1, kind: DynamoComponentDeployment, metadata: {name: a}, spec: {serviceName: s, dynamoNamespace: logical}}", "spec.extraPodSpec.mainContainer.image: Required value"},
		"request":   {"{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeploymentRequest, metadata: {name: a}, spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x}}}", "spec.profilingConfig.config: Required value"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tryOut(t, object(t, ns, test.object)), test.want) })
	}
	for name, text := range map[string]string{
		"graph":     goodGraph,
		"component": "{apiVersion: nvidia.com/v1alpha1, kind: DynamoComponentDeployment, metadata: {name: a}, spec: {serviceName: s, extraPodSpec: {mainContainer: {image: x}}}}",
		"model":     "{apiVersion: nvidia.com/v1alpha1, kind: DynamoModel, metadata: {name: a}, spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 'hf://a/b'}}}",
		"request":   "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeploymentRequest, metadata: {name: a}, spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: {a: b}}}}",
	} {
		if err := tryOut(t, object(t, ns, text)); err != nil {
			t.Errorf("a good %s: %v", name, err)
		}
	}
}

func TestANullServiceIsNoReasonToPanic(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	err := tryOut(t, object(t, cluster.Namespace(t, adminClient(t)), "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, metadata: {name: a}, spec: {services: {S: null}}}"))
	if !apierrors.IsInvalid(err) || strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestLifeOfAGraph(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	ns := cluster.Namespace(t, adminClient(t))
	graph := object(t, ns, goodGraph)
	if err := adminClient(t).Create(context.Background(), graph); err != nil {
		t.Fatal(err)
	}
	if version := graph.GetAnnotations()[v1alpha1.AnnotationOperatorOriginVersion]; version == "" {
		t.Error("the graph is not marked with the operator's version")
	}
	change := func(user string, edit func(*v1alpha1.DynamoGraphDeployment)) error {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		var err error
		cluster.Eventually(t, "the update meets no conflict", func() error {
			if err := adminClient(t).Get(context.Background(), client.ObjectKeyFromObject(graph), dgd); err != nil {
				return err
			}
			edit(dgd)
			if err = as(t, user).Update(context.Background(), dgd); apierrors.IsConflict(err) {
				return err
			}
			return nil
		})
		return err
	}
	const person = "kubernetes-admin"
	refused(t, change(person, func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Spec.BackendFramework = v1alpha1.BackendFrameworkSGLang
	}), "spec.backendFramework: Forbidden: cannot change")
	more := func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Spec.Services["More"] = dgd.Spec.Services["Frontend"].DeepCopy()
	}
	if err := change(person, more); err != nil {
		t.Errorf("a service is added: %v", err)
	}
	if err := change(person, func(dgd *v1alpha1.DynamoGraphDeployment) { delete(dgd.Spec.Services, "More") }); err != nil {
		t.Errorf("a service goes: %v", err)
	}

	replicas := func(n int32) func(*v1alpha1.DynamoGraphDeployment) {
		return func(dgd *v1alpha1.DynamoGraphDeployment) {
			dgd.Spec.Services["Frontend"].Replicas = ptr.To(n)
			dgd.Spec.Services["Frontend"].ScalingAdapter = &v1alpha1.ScalingAdapter{Enabled: true}
		}
	}
	if err := change(person, replicas(2)); err != nil {
		t.Errorf("an adapter may be turned on together with its first replicas: %v", err)
	}
	for _, user := range []string{person, "system:serviceaccount:" + ns + ":x-planner-serviceaccount", "system:serviceaccount:" + ns + ":x-dynamo-operator-controller-manager"} {
		refused(t, change(user, replicas(3)), "spec.services[Frontend].replicas: Forbidden")
	}
	for n, user := range []string{"system:serviceaccount:" + ns + ":planner-serviceaccount", "system:serviceaccount:" + i.namespace + ":" + i.account()} {
		if err := change(user, replicas(int32(4+n))); err != nil {
			t.Errorf("%s may scale: %v", user, err)
		}
	}
}

// TestWhatIsBeingDeletedIsLeftAlone: a graph that was there before the webhooks
// and is wrong can be deleted, whatever its finalizers need.
func TestWhatIsBeingDeletedIsLeftAlone(t *testing.T) {
	ns := cluster.Namespace(t, adminClient(t))
	graph := object(t, ns, badGraph)
	graph.SetFinalizers([]string{"example.com/hold"})
	if err := adminClient(t).Create(context.Background(), graph); err != nil {
		t.Fatal(err)
	}
	i := install(t, `{}`)
	i.startReady(t)
	hold := func(finalizers ...string) error {
		return adminClient(t).Patch(context.Background(), graph.DeepCopy(), client.RawPatch("application/merge-patch+json", finalizersPatch(t, finalizers)))
	}
	refused(t, hold("example.com/hold", "example.com/more"), reason)
	if err := adminClient(t).Delete(context.Background(), graph.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := hold(); err != nil {
		t.Errorf("the finalizer cannot be taken off: %v", err)
	}
}

func finalizersPatch(t *testing.T, finalizers []string) []byte {
	t.Helper()
	patch, err := yaml.Marshal(map[string]any{"metadata": map[string]any{"finalizers": finalizers}})
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(patch)
	if err != nil {
		t.Fatal(err)
	}
	return asJSON
}

func TestAClaimedNamespaceIsLeftAlone(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	ns := cluster.Namespace(t, adminClient(t))
	refused(t, tryOut(t, object(t, ns, badGraph)), reason)
	marker := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: scope.MarkerName}}
	marker.Spec.HolderIdentity, marker.Spec.LeaseDurationSeconds = ptr.To("somebody"), ptr.To(int32(600))
	if err := adminClient(t).Create(context.Background(), marker); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "the claim counts", func() error { return tryOut(t, object(t, ns, badGraph)) })
}

func TestARestrictedOperatorAnswersForItsNamespace(t *testing.T) {
	tenant := cluster.Namespace(t, adminClient(t))
	i := install(t, fmt.Sprintf(byTheManager, tenant))
	i.keep(t, time.Hour)
	i.startReady(t)
	refused(t, tryOut(t, object(t, tenant, badGraph)), reason)
	if err := tryOut(t, object(t, cluster.Namespace(t, adminClient(t)), badGraph)); err != nil {
		t.Errorf("another namespace: %v", err)
	}
	const discovery = "{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeploymentRequest, metadata: {name: a}, spec: {model: m, backend: vllm, enableGpuDiscovery: true, profilingConfig: {profilerImage: x, config: {a: b}}}}"
	refused(t, tryOut(t, object(t, tenant, discovery)), "spec.enableGpuDiscovery: Forbidden")
}

// TestGraphsAsUsersWriteThem accepts every object of our group that the
// renderer has golden files for, and every one in the folder that the
// environment variable SAMPLES names.
func TestGraphsAsUsersWriteThem(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	ns := cluster.Namespace(t, adminClient(t))
	folders := []string{filepath.Join("..", "..", "internal", "operator", "render", "testdata"), filepath.Join("..", "..", "demo", "graphs")}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", folder, err)
		}
		for _, file := range files {
			for _, u := range ours(t, file) {
				u.SetNamespace(ns)
				if err := tryOut(t, u); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
}

// validated are the kinds that a webhook looks at.
var validated = []string{v1alpha1.KindGraphDeployment, v1alpha1.KindComponentDeployment, v1alpha1.KindModel, v1alpha1.KindGraphDeploymentRequest}

func ours(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		// What does not parse is a golden file's or a values file's own business.
		if err := yaml.Unmarshal(document, &u.Object); err == nil && slices.Contains(validated, u.GetKind()) {
			found = append(found, u)
		}
	}
}

// object reads any object from YAML, without going through our types.
func object(t *testing.T, namespace, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetNamespace(namespace)
	return u
}

// tryOut asks the API server whether it would create an object.
func tryOut(t *testing.T, u *unstructured.Unstructured) error {
	t.Helper()
	return adminClient(t).Create(context.Background(), u.DeepCopy(), client.DryRunAll)
}

// as is a client that speaks for a user and may do everything.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	restConfig := rest.CopyConfig(shared.Config)
	restConfig.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	c, err := client.New(restConfig, client.Options{Scheme: adminClient(t).Scheme(), Mapper: adminClient(t).RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
