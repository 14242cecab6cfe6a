//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// groups: a graph over two nodes waits for LeaderWorkerSet, whose own chart and
// controller then form the group; a pod that ends is replaced with its group.
func groups(t *testing.T) {
	const namespace, selector = "team-a", "leaderworkerset.sigs.k8s.io/name=large-worker"
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/group.yaml")
	eventually(t, 30*time.Second, func() error {
		out := run(t, "kubectl", "get", "-n", namespace, "dynamographdeployment/large", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`)
		if !strings.Contains(out, "LeaderWorkerSet") {
			return fmt.Errorf("the graph says %q", out)
		}
		return nil
	})

	installGroups(t)
	// What the message of the graph says.
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes", "--set", "platform.dynamo-operator.leaderWorkerSet.enabled=true")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/large")
	address, stop := forward(t, namespace, "service/large-frontend")
	defer stop()
	answers := func() error {
		worker, err := ask(address)
		if err == nil && worker != "large-worker-0" {
			err = fmt.Errorf("%s answered, want the leader of the group", worker)
		}
		return err
	}
	eventually(t, 30*time.Second, answers)

	before := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", selector, "-o", "jsonpath={.items[*].metadata.uid}")
	if len(strings.Fields(before)) != 2 {
		t.Fatalf("the group has pods %q, want 2", before)
	}
	run(t, "kubectl", "delete", "pod", "-n", namespace, "large-worker-0-1", "--wait")
	eventually(t, 120*time.Second, func() error {
		now := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", selector, "-o", "jsonpath={.items[*].metadata.uid}")
		for _, uid := range strings.Fields(before) {
			if strings.Contains(now, uid) {
				return fmt.Errorf("pod %s of the group is still there", uid)
			}
		}
		return answers()
	})
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/large", "--timeout=60s")
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	run(t, "helm", "uninstall", "lws", "-n", "lws-system", "--wait")
}

// installGroups installs LeaderWorkerSet by the chart of its own module.
func installGroups(t *testing.T) {
	t.Helper()
	folder := strings.TrimSpace(run(t, "go", "-C", "test/thirdparty/lws", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/lws"))
	run(t, "helm", "install", "lws", folder+"/charts/lws", "-n", "lws-system", "--create-namespace", "--wait", "--timeout", "3m",
		"--set", "image.manager.repository=registry.k8s.io/lws/lws,image.manager.tag=v0.6.1,image.manager.pullPolicy=IfNotPresent,resources.requests.cpu=10m,resources.requests.memory=64Mi")
}
