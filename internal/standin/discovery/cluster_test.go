package discovery_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	namespace = "team-a"
	account   = "g-k8s-service-discovery"
	patience  = 20 * time.Second
)

var (
	shared   *cluster.Cluster
	metadata = schema.GroupVersionResource{Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamoworkermetadatas"}
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m, &shared)) }

// world is the API server as its administrator sees it, and the credentials of
// a pod that may do only what the platform's discovery Role allows.
type world struct {
	t    *testing.T
	kube *kubernetes.Clientset
	raw  dynamic.Interface
	pod  *rest.Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, kube: kubernetes.NewForConfigOrDie(shared.Config), raw: dynamic.NewForConfigOrDie(shared.Config)}
	w.pod = rest.CopyConfig(shared.Config)
	w.pod.Impersonate.UserName = "system:serviceaccount:" + namespace + ":" + account
	w.installCRD()
	_, err := w.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		w.t.Fatal(err)
	}
}

func (w *world) installCRD() {
	w.t.Helper()
	text, err := fs.ReadFile(charts.FS(), "crds/definitions/dynamoworkermetadatas.yaml")
	w.must(err)
	crd := &unstructured.Unstructured{}
	w.must(yaml.Unmarshal(text, crd))
	crds := w.raw.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	_, err = crds.Create(w.t.Context(), crd, metav1.CreateOptions{})
	w.must(err)
	w.eventually("the CRD is served", func() bool {
		_, err := w.raw.Resource(metadata).List(w.t.Context(), metav1.ListOptions{})
		return err == nil
	})
}

// grant gives the pod's account exactly the platform's discovery Role.
func (w *world) grant() {
	w.t.Helper()
	watch := []string{"get", "list", "watch"}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"endpoints"}, Verbs: watch},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: watch},
			{APIGroups: []string{"nvidia.com"}, Resources: []string{"dynamoworkermetadatas"}, Verbs: append([]string{"create", "update", "patch", "delete"}, watch...)},
		},
	}
	_, err := w.kube.RbacV1().Roles(namespace).Create(w.t.Context(), role, metav1.CreateOptions{})
	w.must(err)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: namespace}},
	}
	_, err = w.kube.RbacV1().RoleBindings(namespace).Create(w.t.Context(), binding, metav1.CreateOptions{})
	w.must(err)
}

func (w *world) createPod(name string) *corev1.Pod {
	w.t.Helper()
	// A node name keeps the scheduler's business out; no kubelet ever runs it.
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{NodeName: "none", AutomountServiceAccountToken: new(bool),
			Containers: []corev1.Container{{Name: "main", Image: "example.test/none:1"}}},
	}
	w.eventually("the default ServiceAccount exists", func() bool {
		_, err := w.kube.CoreV1().ServiceAccounts(namespace).Get(w.t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	created, err := w.kube.CoreV1().Pods(namespace).Create(w.t.Context(), pod, metav1.CreateOptions{})
	w.must(err)
	return created
}

// setSlice says whether the pods are ready, as the endpoint controller would.
func (w *world) setSlice(ready bool, pods ...*corev1.Pod) {
	w.t.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "g-decode-abc", Labels: map[string]string{discovery.EnabledLabel: "true"}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for i, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{fmt.Sprintf("10.9.0.%d", i+1)},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	slices := w.kube.DiscoveryV1().EndpointSlices(namespace)
	_, err := slices.Create(w.t.Context(), slice, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = slices.Update(w.t.Context(), slice, metav1.UpdateOptions{})
	}
	w.must(err)
}

func (w *world) eventually(what string, check func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !check(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-w.t.Context().Done():
			w.t.Fatal(what)
		}
	}
}

func (w *world) registry(pod *corev1.Pod) *discovery.Registry {
	w.t.Helper()
	r, err := discovery.NewRegistry(w.pod, discovery.Identity{Pod: pod.Name, UID: string(pod.UID), Namespace: namespace})
	w.must(err)
	return r
}

func (w *world) watch(logicalNamespace string) *discovery.Watcher {
	w.t.Helper()
	watcher, err := discovery.NewWatcher(w.pod, namespace, discovery.Scope{Namespace: logicalNamespace}, slog.New(slog.DiscardHandler))
	w.must(err)
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() { watcher.Run(ctx); close(ended) }()
	w.t.Cleanup(func() { cancel(); <-ended })
	return watcher
}

func data(logicalNamespace, pod string, models ...string) discovery.Data {
	a := discovery.Address{Namespace: logicalNamespace, Component: "backend", Endpoint: "generate", InstanceID: discovery.InstanceID(pod)}
	d := discovery.Data{
		Endpoints:  map[string]discovery.Endpoint{a.Path(): {Type: "Endpoint", Address: a, Transport: discovery.Transport{HTTP: "http://" + pod + ":8888/v1/rpc/generate"}}},
		ModelCards: map[string]discovery.ModelCard{},
	}
	for _, m := range models {
		d.ModelCards[a.Path()+"/"+m] = discovery.ModelCard{Type: "Model", Address: a, Card: discovery.Card{Name: m, Type: discovery.Chat}}
	}
	return d
}

// served are the models that can answer, with the URLs of their workers.
func served(v *discovery.View) string {
	var parts []string
	for _, m := range v.Models {
		for _, i := range m.Workers {
			parts = append(parts, m.Name+"="+i.URL)
		}
	}
	return strings.Join(parts, " ")
}

func TestWorkersAreFoundThroughTheAPIServer(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	watcher := w.watch("team-a-g")
	one := w.createPod("one")

	if err := w.registry(one).Register(ctx, data("team-a-g", "one", "m")); !apierrors.IsForbidden(err) {
		t.Errorf("without the Role: got error %v, want forbidden", err)
	}
	w.eventually("the frontend says what it lacks", func() bool {
		err := watcher.Ready()
		return err != nil && strings.Contains(err.Error(), "forbidden")
	})
	w.grant()
	w.eventually("the frontend recovers once it has the Role", func() bool { return watcher.Ready() == nil })

	registry := w.registry(one)
	if err := registry.Register(ctx, data("team-a-g", "one", "m", "lora")); err != nil {
		t.Fatal(err)
	}
	w.checkObject(one)
	w.eventually("a worker that is not ready is known only", func() bool { return len(watcher.View().Models) == 2 && served(watcher.View()) == "" })

	w.setSlice(true, one)
	const url = "http://10.9.0.1:8888/v1/rpc/generate"
	w.eventually("the ready worker is used", func() bool { return served(watcher.View()) == "lora="+url+" m="+url })

	if err := registry.Register(ctx, data("team-a-g", "one", "m")); err != nil {
		t.Fatal(err)
	}
	w.eventually("a card that was withdrawn is gone", func() bool { return served(watcher.View()) == "m="+url })

	other := w.createPod("other")
	if err := w.registry(other).Register(ctx, data("team-a-other", "other", "secret")); err != nil {
		t.Fatal(err)
	}
	w.setSlice(true, one, other)
	global := w.watch(discovery.GlobalNamespace)
	w.eventually("a global frontend sees both graphs", func() bool { return strings.Contains(served(global.View()), "secret=") })
	if got := served(watcher.View()); strings.Contains(got, "secret") {
		t.Errorf("a model leaked into another graph: %s", got)
	}

	w.setSlice(false, one)
	w.eventually("a worker that is no longer ready is not used", func() bool { return served(watcher.View()) == "" })
	w.setSlice(true, one)
	w.eventually("it is used again", func() bool { return served(watcher.View()) == "m="+url })

	if err := registry.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	w.eventually("a worker that left is not used", func() bool { return len(watcher.View().Models) == 0 })
	if err := registry.Unregister(ctx); err != nil {
		t.Errorf("leaving twice: %v", err)
	}
}

func (w *world) checkObject(pod *corev1.Pod) {
	w.t.Helper()
	object, err := w.raw.Resource(metadata).Namespace(namespace).Get(w.t.Context(), pod.Name, metav1.GetOptions{})
	w.must(err)
	owners := object.GetOwnerReferences()
	if len(owners) != 1 || owners[0].UID != pod.UID || !*owners[0].Controller || *owners[0].BlockOwnerDeletion {
		w.t.Errorf("owners: %+v", owners)
	}
	if !slices.ContainsFunc(object.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == "dynamo-worker" && m.Operation == metav1.ManagedFieldsOperationApply
	}) {
		w.t.Errorf("field managers: %+v", object.GetManagedFields())
	}
	entry, found, err := unstructured.NestedMap(object.Object, "spec", "data", "endpoints", "team-a-g/backend/generate")
	if err != nil || !found || entry["instance_id"] != discovery.InstanceID(pod.Name) || entry["component"] != "backend" {
		w.t.Errorf("endpoint entry: %v, %v", entry, err)
	}
}
