//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// groups: graphs over two nodes wait for LeaderWorkerSet, whose own chart and
// controller then form their groups. The one's engine is started by Ray; the other's by
// the real mpirun, over SSH with the key pair that the operator has made.
func groups(t *testing.T) {
	const namespace = "team-a"
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
	answersByGroup(t, namespace, "large", func() {})

	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/ranks.yaml")
	answersByGroup(t, namespace, "ranks", func() {
		if log := run(t, "kubectl", "logs", "-n", namespace, "ranks-worker-0"); !strings.Contains(log, `msg="the group is complete" size=4`) {
			t.Errorf("the leader is ready without its ranks:\n%s", log)
		}
		if log := run(t, "kubectl", "logs", "-n", namespace, "ranks-worker-0-1"); !strings.Contains(log, "Accepted publickey for dynamo") {
			t.Errorf("nobody came to the worker by SSH:\n%s", log)
		}
	})
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	run(t, "helm", "uninstall", "lws", "-n", "lws-system", "--wait")
}

// answersByGroup: the leader of a graph's group of two answers, and again after a pod
// that ended was replaced with its group. What formed is looked at each time.
func answersByGroup(t *testing.T, namespace, graph string, look func()) {
	t.Helper()
	leader := graph + "-worker-0"
	pods := func() string {
		return run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "leaderworkerset.sigs.k8s.io/name="+graph+"-worker", "-o", "jsonpath={.items[*].metadata.uid}")
	}
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/"+graph)
	address, stop := forward(t, namespace, "service/"+graph+"-frontend")
	defer stop()
	answers := func() error {
		worker, err := ask(address)
		if err == nil && worker != leader {
			err = fmt.Errorf("%s answered, want the leader of the group", worker)
		}
		return err
	}
	eventually(t, 30*time.Second, answers)
	look()

	before := pods()
	if len(strings.Fields(before)) != 2 {
		t.Fatalf("the group has pods %q, want 2", before)
	}
	run(t, "kubectl", "delete", "pod", "-n", namespace, leader+"-1", "--wait")
	eventually(t, 120*time.Second, func() error {
		now := pods()
		for _, uid := range strings.Fields(before) {
			if strings.Contains(now, uid) {
				return fmt.Errorf("pod %s of the group is still there", uid)
			}
		}
		return answers()
	})
	look()
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/"+graph, "--timeout=60s")
}

// installGroups installs LeaderWorkerSet by the chart of its own module.
func installGroups(t *testing.T) {
	t.Helper()
	folder := cluster.ModuleFolder(t, "test/thirdparty/lws", "sigs.k8s.io/lws")
	run(t, "helm", "install", "lws", folder+"/charts/lws", "-n", "lws-system", "--create-namespace", "--wait", "--timeout", "3m",
		"--set", "image.manager.repository=registry.k8s.io/lws/lws,image.manager.tag=v0.6.1,image.manager.pullPolicy=IfNotPresent,resources.requests.cpu=10m,resources.requests.memory=64Mi")
}
