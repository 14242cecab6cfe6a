package manager

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Prometheus' operator was removed, and with it the kinds of which a record has
// objects. Helm can neither upgrade nor roll back nor uninstall such a release.
func TestAKindThatVanishedHoldsNothingUp(t *testing.T) {
	c := cluster.Start(t)
	monitored, plain := monitorFleets(t, "gone")
	life := operation{t: t, c: c}

	life.loses(monitored)

	says := "forget   PodMonitor/gone/dynamo-worker: the cluster does not serve monitoring.coreos.com/v1 PodMonitor any more; the record loses it"
	if out := life.says(2, "plan", "-f", plain); !strings.Contains(oneLine(out), oneLine(says)) {
		t.Errorf("plan does not say %q:\n%s", says, out)
	}
	life.does("apply", "-f", plain, "--no-wait", "--yes")
	life.says(0, "plan", "-f", plain)
	life.says(0, "plan", "--drift", "-f", plain)

	before := writes(t, c)
	out := life.says(1, "rollback", "-f", plain, "--no-wait", "--yes")
	if want := "needs kinds that the cluster does not serve any more: monitoring.coreos.com/v1 PodMonitor/gone/dynamo-frontend"; !strings.Contains(oneLine(out), want) {
		t.Errorf("rollback does not say %q:\n%s", want, out)
	}
	if after := writes(t, c); after != before {
		t.Errorf("a rollback that is refused wrote %d times", after-before)
	}
	life.goesOnWithHelm("gone")
	life.does("destroy", "-f", plain, "--yes")
}

// What of a record has gone is in the way of no other command either.
func TestARecordOfAVanishedKindIsLeft(t *testing.T) {
	c := cluster.Start(t)
	life := operation{t: t, c: c}
	for _, command := range [][]string{{"rollback", "--no-wait"}, {"destroy"}} {
		leave := command[0]
		monitored, plain := monitorFleets(t, leave)
		life.does("apply", "-f", plain, "--no-wait", "--yes", "--adopt")
		life.loses(monitored)
		if out := life.says(1, "status", "-f", monitored); strings.Contains(out, "no matches") {
			t.Errorf("status of a record that names a kind that vanished:\n%s", out)
		}
		if out := life.does(append(command, "-f", monitored, "--yes")...); leave == "rollback" && !strings.Contains(out, "forget   PodMonitor/rollback/") {
			t.Errorf("it does not say what the record loses:\n%s", out)
		}
	}
	life.goesOnWithHelm("rollback")
}

// An object whose kind lives on in another version is followed there.
func TestAVersionThatVanishedIsFollowed(t *testing.T) {
	c := cluster.Start(t)
	monitored, plain := monitorFleets(t, "moved")
	life := operation{t: t, c: c}

	life.define("v1", "v2")
	life.does("apply", "-f", monitored, "--no-wait", "--yes")
	life.define("v2")
	if out := life.says(2, "plan", "-f", plain); !strings.Contains(out, "delete   PodMonitor/moved/dynamo-worker") {
		t.Errorf("plan does not delete what lives on in another version:\n%s", out)
	}
	life.does("apply", "-f", plain, "--no-wait", "--yes")
	if life.monitors("moved") != 0 {
		t.Error("an object that lived on in another version was left behind")
	}
	// Rolled back to the version that there is.
	if life.does("rollback", "-f", plain, "--no-wait", "--yes"); life.monitors("moved") == 0 {
		t.Error("the rollback did not bring it back")
	}
	life.goesOnWithHelm("moved")
	if life.monitors("moved") != 0 {
		t.Error("stock Helm did not find the object in its record")
	}
	life.does("destroy", "-f", plain, "--yes")
}

// An API that is registered and does not answer has not vanished: nothing is
// forgotten because of it.
func TestAnAPIThatDoesNotAnswerHasNotVanished(t *testing.T) {
	c := cluster.Start(t)
	monitored, plain := monitorFleets(t, "silent")
	life := operation{t: t, c: c}
	life.loses(monitored)
	client := discovery.NewDiscoveryClientForConfigOrDie(c.Config)
	awaitGroup := func(there bool) {
		life.until(func() bool {
			groups, err := client.ServerGroups()
			return err == nil && there == slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == "monitoring.coreos.com" })
		})
	}
	const api, kind = "apiregistration.k8s.io/v1", "apiservices"
	for _, version := range []string{"v1", "v2"} { // that of the record, and one in which the kind may live on
		name := version + ".monitoring.coreos.com"
		life.create(api, kind, map[string]any{
			"apiVersion": api, "kind": "APIService", "metadata": map[string]any{"name": name},
			"spec": map[string]any{
				"group": "monitoring.coreos.com", "version": version, "groupPriorityMinimum": int64(1000), "versionPriority": int64(10),
				"service": map[string]any{"namespace": "silent", "name": "nobody"}, "insecureSkipTLSVerify": true,
			},
		})
		awaitGroup(true)
		out := life.says(1, "apply", "-f", plain, "--no-wait", "--yes")
		if want := "monitoring.coreos.com/" + version + " is registered and does not answer"; !strings.Contains(oneLine(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
		if err := life.resource(api, kind).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		awaitGroup(false)
	}
}

// monitorFleets are one tenant's fleet with and without PodMonitors.
func monitorFleets(t *testing.T, namespace string) (monitored, plain string) {
	t.Helper()
	fleet := "metadata: {name: %s}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: %s%s}]}\n"
	on := ", values: [{platform: {dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: true}}}}}}]"
	return writeFleet(t, fmt.Sprintf(fleet, namespace, namespace, on)), writeFleet(t, fmt.Sprintf(fleet, namespace, namespace, ""))
}

// operation is what people do with a cluster: run wheelhouse, define kinds and remove them.
type operation struct {
	t *testing.T
	c *cluster.Cluster
}

func (v operation) does(args ...string) string {
	v.t.Helper()
	return v.says(0, args...)
}

// says runs wheelhouse, which ends with a code.
func (v operation) says(code int, args ...string) string {
	v.t.Helper()
	out, err := wheelhouse(v.t, v.c, args...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != code {
		v.t.Fatalf("wheelhouse %s: exit code %d, want %d: %v\n%s", strings.Join(args, " "), got, code, err, out)
	}
	return out
}

// goesOnWithHelm upgrades a release by stock Helm, to one without monitors.
func (v operation) goesOnWithHelm(namespace string) {
	v.t.Helper()
	out, err := stockHelm(v.t, v.c, "upgrade", "dynamo-platform", packageOf(v.t, "platform"), "-n", namespace, "--reuse-values",
		"--set", "dynamo-operator.controllerManager.logLevel=debug,dynamo-operator.dynamo.metrics.podMonitors.enabled=false")
	if err != nil {
		v.t.Errorf("stock Helm cannot go on: %v\n%s", err, out)
	}
}

func (v operation) resource(apiVersion, resource string) dynamic.NamespaceableResourceInterface {
	v.t.Helper()
	client, err := dynamic.NewForConfig(v.c.Config)
	if err != nil {
		v.t.Fatal(err)
	}
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		v.t.Fatal(err)
	}
	return client.Resource(version.WithResource(resource))
}

func (v operation) create(apiVersion, resource string, object map[string]any) {
	v.t.Helper()
	u := &unstructured.Unstructured{Object: object}
	if _, err := v.resource(apiVersion, resource).Create(v.t.Context(), u, metav1.CreateOptions{}); err != nil {
		v.t.Fatal(err)
	}
}

// loses applies a fleet with monitors, whose kind then goes.
func (v operation) loses(fleet string) {
	v.t.Helper()
	v.define("v1")
	v.does("apply", "-f", fleet, "--no-wait", "--yes")
	v.undefine()
}

const monitorCRD = "podmonitors.monitoring.coreos.com"

// define serves PodMonitors in some versions, the last of which is stored, and
// waits until the API server does.
func (v operation) define(versions ...string) {
	v.t.Helper()
	var list []any
	for i, version := range versions {
		list = append(list, map[string]any{
			"name": version, "served": true, "storage": i == len(versions)-1,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		})
	}
	if len(versions) == 1 && versions[0] == "v2" {
		// What is stored may still name it.
		list = append(list, map[string]any{"name": "v1", "served": false, "storage": false, "schema": list[0].(map[string]any)["schema"]})
	}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": monitorCRD},
		"spec": map[string]any{
			"group": "monitoring.coreos.com", "scope": "Namespaced", "versions": list,
			"names": map[string]any{"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
		},
	}}
	crds := v.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
	if _, err := crds.Apply(v.t.Context(), monitorCRD, crd, metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
		v.t.Fatal(err)
	}
	v.until(func() bool {
		for _, version := range []string{"v1", "v2"} {
			_, err := v.resource("monitoring.coreos.com/"+version, "podmonitors").List(v.t.Context(), metav1.ListOptions{})
			if wanted := strings.Contains(strings.Join(versions, " "), version); wanted != (err == nil) {
				return false
			}
		}
		return true
	})
}

func (v operation) undefine() {
	v.t.Helper()
	crds := v.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
	if err := crds.Delete(v.t.Context(), monitorCRD, metav1.DeleteOptions{}); err != nil {
		v.t.Fatal(err)
	}
	var asked error
	v.until(func() bool {
		_, err := crds.Get(v.t.Context(), monitorCRD, metav1.GetOptions{})
		_, asked = v.resource("monitoring.coreos.com/v1", "podmonitors").List(v.t.Context(), metav1.ListOptions{})
		return apierrors.IsNotFound(err) && apierrors.IsNotFound(asked)
	})
	if !apierrors.IsUnexpectedServerError(asked) {
		v.t.Errorf("by this a plan tells a kind that has gone from an object: %v", asked)
	}
}

func (v operation) until(done func() bool) {
	v.t.Helper()
	for began := time.Now(); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			v.t.Fatal("the API server does not follow")
		}
	}
}

// monitors counts them by the version that lives on.
func (v operation) monitors(namespace string) int {
	v.t.Helper()
	list, err := v.resource("monitoring.coreos.com/v2", "podmonitors").Namespace(namespace).List(v.t.Context(), metav1.ListOptions{})
	if err != nil {
		v.t.Fatal(err)
	}
	return len(list.Items)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
