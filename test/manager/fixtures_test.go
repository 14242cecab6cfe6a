package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// fixtureValues turn on the stand-ins of third-party charts, which do what makes
// real charts hard, and one value of each that an upgrade changes.
var fixtureValues = []struct{ name, values, changed string }{
	{"none", "{}", "platform.dynamo-operator.controllerManager.logLevel=debug"},
	{"nats", "{nats: {enabled: true}}", "platform.nats.config.merge.max_payload=1048576"},
	{"etcd", "{etcd: {enabled: true, auth: {token: {enabled: true}}}}", "platform.etcd.replicaCount=3"},
	{"kai", "{kai-scheduler: {enabled: true}}", "platform.kai-scheduler.operator.replicaCount=2"},
	{"grove", "{grove: {enabled: true}}", "platform.grove.replicaCount=2"},
	{
		"all", "{nats: {enabled: true}, etcd: {enabled: true, auth: {token: {enabled: true}}}, kai-scheduler: {enabled: true}, grove: {enabled: true}}",
		"platform.kai-scheduler.operator.replicaCount=2",
	},
}

// Every fixture lives through everything that can be done to a release, and each
// time our record and the objects in the cluster are those of stock Helm.
func TestFixturesLiveAsUnderHelm(t *testing.T) {
	c := cluster.Start(t)
	endJobs(t, c)
	platform := platformWithFixtures(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CHARTS\tVALIDATE\tRENDER TWICE\tINSTALL\tUPGRADE\tSECOND PLAN\tROLLBACK\tDESTROY")
	for _, fixture := range fixtureValues {
		t.Run(fixture.name, func(t *testing.T) {
			life := &fixtureLife{cluster: c, platform: platform, changed: fixture.changed, namespace: "with-" + fixture.name}
			life.fleet = writeFleet(t, fmt.Sprintf("metadata: {name: fixtures}\nspec:\n  charts: {platform: %s}\n  values: [{platform: %s}]\n  platforms: [{namespace: %s}]\n",
				platform, fixture.values, life.namespace))
			life.values = filepath.Join(t.TempDir(), "values.yaml")
			values := strings.Replace(fixture.values, "{", "{dynamo-operator: {namespaceRestriction: {enabled: true}}, ", 1)
			if fixture.values == "{}" {
				values = "{dynamo-operator: {namespaceRestriction: {enabled: true}}}"
			}
			if err := os.WriteFile(life.values, []byte(values), 0o600); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(w, fixture.name+"\t"+strings.Join(life.live(t), "\t"))
		})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}

// fixtureLife is one set of charts, under us and then under stock Helm in the
// same namespace.
type fixtureLife struct {
	cluster                          *cluster.Cluster
	platform, fleet, values, changed string
	namespace                        string
}

// moment is what lies in the cluster after an operation.
type moment struct {
	record  map[string]any
	objects map[string]string
}

func (l *fixtureLife) live(t *testing.T) (row []string) {
	t.Helper()
	l.ours(t, "validate", "-f", l.fleet)
	row = append(row, "ok", l.renderedTwice(t))
	set := []string{"--set", l.changed}
	var ours, helms []moment
	l.ours(t, "apply", "-f", l.fleet, "--no-wait", "--yes")
	planIsEmpty(t, l.cluster, l.fleet)
	ours = append(ours, l.look(t, 1))
	l.ours(t, append([]string{"apply", "-f", l.fleet, "--no-wait", "--yes"}, set...)...)
	ours = append(ours, l.look(t, 2))
	if out, err := wheelhouse(t, l.cluster, append([]string{"plan", "-f", l.fleet, "--drift"}, set...)...); err != nil || !strings.Contains(out, "No changes") {
		t.Errorf("the second plan: %v\n%s", err, out)
	}
	l.ours(t, "rollback", "-f", l.fleet, "--yes", "--no-wait")
	ours = append(ours, l.look(t, 3))
	l.ours(t, "destroy", "-f", l.fleet, "--yes")
	l.isGone(t)
	deleteCRDs(t, l.cluster)
	deleteNamespace(t, l.cluster, "kai-resource-reservation")

	helm := func(args ...string) {
		if out, err := stockHelm(t, l.cluster, append(args, "-n", l.namespace)...); err != nil {
			t.Fatalf("helm %q: %v\n%s", args, err, out)
		}
	}
	helm("install", "dynamo-platform", l.platform, "--create-namespace", "-f", l.values)
	helms = append(helms, l.look(t, 1))
	helm("upgrade", "dynamo-platform", l.platform, "-f", l.values, "--set", strings.TrimPrefix(l.changed, "platform."))
	helms = append(helms, l.look(t, 2))
	helm("rollback", "dynamo-platform", "1")
	helms = append(helms, l.look(t, 3))
	helm("uninstall", "dynamo-platform")
	deleteNamespace(t, l.cluster, "kai-resource-reservation")
	deleteCRDs(t, l.cluster)
	for i, what := range []string{"install", "upgrade", "rollback"} {
		result := "as Helm"
		if diff := cmp.Diff(helms[i].record, ours[i].record); diff != "" {
			t.Errorf("the record of the %s (-helm +wheelhouse):\n%s", what, diff)
			result = "differs"
		}
		if diff := cmp.Diff(helms[i].objects, ours[i].objects); diff != "" {
			t.Errorf("the objects after the %s (-helm +wheelhouse):\n%s", what, diff)
			result = "differs"
		}
		row = append(row, result)
	}
	return append(row[:4], "empty", row[4], "gone")
}

func (l *fixtureLife) ours(t *testing.T, args ...string) string {
	t.Helper()
	out, err := wheelhouse(t, l.cluster, args...)
	if err != nil {
		t.Fatalf("wheelhouse %q: %v\n%s", args, err, out)
	}
	return out
}

// renderedTwice: the same bytes, or a warning that names what is not.
func (l *fixtureLife) renderedTwice(t *testing.T) string {
	t.Helper()
	first, second := l.ours(t, "render", "-f", l.fleet), l.ours(t, "render", "-f", l.fleet)
	named := strings.Contains(first, "W-24")
	switch {
	case first == second:
		return "same"
	case !named:
		t.Errorf("rendered twice, it differs:\n%s", cmp.Diff(first, second))
		return "differs"
	default:
		return "same, but what W-24 names"
	}
}

// look reads the record of a revision, and the objects that it names.
func (l *fixtureLife) look(t *testing.T, revision int) moment {
	t.Helper()
	m := moment{record: recordIn(t, l.cluster, l.namespace, revision), objects: map[string]string{}}
	delete(m.record, "hooks")
	delete(m.record, "info")
	delete(m.record, "labels")
	manifest, _ := m.record["manifest"].(string)
	m.record["manifest"] = madeUp.ReplaceAllString(manifest, "")
	objects, err := chart.ParseManifest(strings.ReplaceAll(manifest, "NAMESPACE", l.namespace))
	if err != nil {
		t.Fatal(err)
	}
	read := reader(t, l.cluster)
	for _, o := range objects {
		live := read(o, l.namespace)
		for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"} {
			unstructured.RemoveNestedField(live, "metadata", field)
		}
		delete(live, "status")
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			unstructured.RemoveNestedField(live, "spec", field)
		}
		text, err := json.MarshalIndent(live, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		m.objects[o.String()] = eachTime.ReplaceAllString(madeUp.ReplaceAllString(string(text), ""), "")
	}
	return m
}

// madeUp matches what the charts make at random, and what nobody chose.
var madeUp = regexp.MustCompile(`"?jwt-token.pem"?: "?\S+|"kubernetes.io/metadata.name": "[^"]*"|"finalizers": \[[^\]]*\],?`)

// isGone: no record of the release is left. Claims outlive it, and with them
// its namespace.
func (l *fixtureLife) isGone(t *testing.T) {
	t.Helper()
	if out, err := stockHelm(t, l.cluster, "list", "-n", l.namespace, "-q"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("after destroy, helm lists %q (%v)", out, err)
	}
}

// deleteNamespace removes what a keep policy has left.
func deleteNamespace(t *testing.T, c *cluster.Cluster, name string) {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if err := kube.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}); apierrors.IsNotFound(err) {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// deleteCRDs removes those of the stand-ins, which Helm leaves behind.
func deleteCRDs(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for {
		list, err := crds.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, crd := range list.Items {
			if name := crd.GetName(); !strings.HasSuffix(name, ".nvidia.com") {
				left++
				if err := crds.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
					t.Fatal(err)
				}
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// reader reads objects of a manifest as they live in the cluster.
func reader(t *testing.T, c *cluster.Cluster) func(o chart.Object, namespace string) map[string]any {
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
	return func(o chart.Object, namespace string) map[string]any {
		gvk := schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case mapping.Scope.Name() == meta.RESTScopeNameRoot:
			namespace = ""
		case o.Namespace != "":
			namespace = o.Namespace
		}
		live, err := client.Resource(mapping.Resource).Namespace(namespace).Get(t.Context(), o.Name, metav1.GetOptions{})
		if err != nil {
			t.Errorf("%s: %v", o, err)
			return map[string]any{}
		}
		return live.Object
	}
}

// platformWithFixtures is a package of our platform with all stand-ins.
func platformWithFixtures(t *testing.T) string {
	t.Helper()
	var added []*chart.Chart
	for _, name := range []string{"nats", "etcd", "kai-scheduler", "grove-charts"} {
		c, err := chart.Open(filepath.Join("..", "thirdparty", "charts", name))
		if err != nil {
			t.Fatal(err)
		}
		added = append(added, c)
	}
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.With(added); err != nil {
		t.Fatal(err)
	}
	data, err := c.Package()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "platform.tgz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// endJobs is the kubelet of the pods of Jobs: they succeed at once.
func endJobs(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			pods, err := kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name"})
			if err == nil {
				for i := range pods.Items {
					if pod := &pods.Items[i]; pod.Status.Phase == corev1.PodPending {
						pod.Status.Phase = corev1.PodSucceeded
						_, _ = kube.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
					}
				}
			}
			time.Sleep(300 * time.Millisecond)
		}
	}()
}
