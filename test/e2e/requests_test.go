//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// requests: a profiling Job runs, its result becomes a graph, and the graph
// answers; one that fails says why while it is tried again.
func requests(t *testing.T) {
	const namespace = "team-a"
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/request.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=jsonpath={.status.state}=Ready", "--timeout=180s", "dgdr/fast")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=10s", "dynamographdeployment/fast")
	address, stop := forward(t, namespace, "service/fast-frontend")
	defer stop()
	eventually(t, 30*time.Second, func() error {
		worker, err := ask(address)
		if err == nil && !strings.HasPrefix(worker, "fast-worker-") {
			err = fmt.Errorf("%s answered", worker)
		}
		return err
	})
	eventually(t, 60*time.Second, func() error {
		said := run(t, "kubectl", "get", "-n", namespace, "dgdr/impossible", "-o", `jsonpath={.status.conditions[?(@.type=="Profiling")].message}`)
		if !strings.Contains(said, "no GPU of this cluster is fast enough") {
			return fmt.Errorf("the request says %q", said)
		}
		return nil
	})
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/fast", "--timeout=60s")
	run(t, "kubectl", "wait", "-n", namespace, "--for=jsonpath={.status.state}=DeploymentDeleted", "--timeout=30s", "dgdr/fast")
	run(t, "kubectl", "delete", "-n", namespace, "dgdr/fast", "dgdr/impossible", "--timeout=60s")
}
