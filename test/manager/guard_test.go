package manager

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// What stock Helm may install is decided by who owns the marker objects, not by
// what things are called: names that look like an operator's are no obstacle,
// and odd ones do not slip through.
func TestTheGuardOfPlainHelmKnowsOwnersNotNames(t *testing.T) {
	c := cluster.Start(t)
	platform := packageOf(t, "platform")
	crds := packageOf(t, "crds")
	helm := func(args ...string) (string, error) { return stockHelm(t, c, args...) }
	must := func(args ...string) {
		t.Helper()
		if out, err := helm(args...); err != nil {
			t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	refused := func(by string, args ...string) {
		t.Helper()
		out, err := helm(args...)
		if err == nil || !strings.Contains(out, by) || !advised.MatchString(out) {
			t.Fatalf("helm %s: want a refusal that names %s and how to look at it, got %v\n%s", strings.Join(args, " "), by, err, out)
		}
		followed(t, c, advised.FindStringSubmatch(out)[1])
	}
	must("install", "dynamo-crds", crds, "-n", "default")

	// A leftover of somebody who is gone, under a name as the operator's.
	createClusterRole(t, c, "old-dynamo-operator-manager-role")
	// The release name contains the chart's name, and so does an override.
	must("install", "my-dynamo-operator-x", platform, "--set", "nats.enabled=false", "-n", "one", "--create-namespace")
	must("upgrade", "my-dynamo-operator-x", platform, "--set", "nats.enabled=false", "-n", "one", "--set", "dynamo-operator.controllerManager.logLevel=debug")
	must("rollback", "my-dynamo-operator-x", "1", "-n", "one")

	refused(`"one"`, "install", "dynamo-operator", platform, "--set", "nats.enabled=false", "-n", "two", "--create-namespace")
	refused(`"one"`, "install", "my-dynamo-operator-x", platform, "--set", "nats.enabled=false", "-n", "two", "--create-namespace")
	refused(`"one"`, "install", "other", platform, "--set", "nats.enabled=false", "-n", "two", "--create-namespace", "--set", "dynamo-operator.fullnameOverride=something-else")

	must("uninstall", "my-dynamo-operator-x", "-n", "one")
	must("install", "tenant", platform, "--set", "nats.enabled=false", "-n", "three", "--create-namespace", "--set", "dynamo-operator.namespaceRestriction.enabled=true")
	must("install", "tenant", platform, "--set", "nats.enabled=false", "-n", "four", "--create-namespace", "--set", "dynamo-operator.namespaceRestriction.enabled=true")
	refused(`"four"`, "install", "wide", platform, "--set", "nats.enabled=false", "-n", "one")
	must("uninstall", "tenant", "-n", "three")
	must("uninstall", "tenant", "-n", "four")

	// What the editor of a namespace can write is in nobody's way: a marker Lease
	// for decades, a Deployment with the labels of an operator.
	put(t, c, decoys)
	must("install", "wide", platform, "--set", "nats.enabled=false", "-n", "one")
}

// advised finds the command that a refusal suggests.
var advised = regexp.MustCompile("Look at it with `([^`]+)`")

// followed makes sure that a command shows something.
func followed(t *testing.T, c *cluster.Cluster, command string) {
	t.Helper()
	words := strings.Fields(command)
	if words[0] == "kubectl" {
		// Without kubectl here, the API server is asked for the very object.
		kube, err := kubernetes.NewForConfig(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kube.RbacV1().Roles(words[2]).Get(t.Context(), words[5], metav1.GetOptions{}); err != nil || words[4] != "role" {
			t.Errorf("%s: %v", command, err)
		}
		return
	}
	if out, err := stockHelm(t, c, words[1:]...); err != nil || !strings.Contains(out, "kind: ") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

const decoys = `
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: dynamo-operator-namespace-scope, namespace: default}
spec: {holderIdentity: mallory, leaseDurationSeconds: 2147483647, renewTime: "2026-01-01T00:00:00.000000Z"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: decoy
  namespace: default
  labels: {app.kubernetes.io/part-of: dynamo-operator, app.kubernetes.io/version: 99.0.0}
  annotations: {meta.helm.sh/release-name: dynamo-platform, meta.helm.sh/release-namespace: team-b}
spec:
  selector: {matchLabels: {app: decoy}}
  template:
    metadata: {labels: {app: decoy}}
    spec: {containers: [{name: decoy, image: example.com/decoy}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kai-operator, namespace: default}
spec:
  selector: {matchLabels: {app: kai}}
  template:
    metadata: {labels: {app: kai}}
    spec: {containers: [{name: kai, image: example.com/kai}]}
`

// packageOf writes a chart of ours as stock Helm takes it, without the
// third-party charts that are off.
func packageOf(t *testing.T, name string) string {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Package()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".tgz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func stockHelm(t *testing.T, c *cluster.Cluster, args ...string) (string, error) {
	t.Helper()
	return output(c, filepath.Join(tools, "helm"), args...)
}

func createClusterRole(t *testing.T, c *cluster.Cluster, name string) {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := kube.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// output runs a program against a cluster and returns all that it printed.
func output(c *cluster.Cluster, program string, args ...string) (string, error) {
	var out bytes.Buffer
	command := exec.CommandContext(context.Background(), program, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}
