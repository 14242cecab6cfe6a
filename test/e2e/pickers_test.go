//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// pickers: the real endpoint picker is asked, as a gateway asks it, where to send a
// chat. It names ready frontends of its graph, which answer, and none that ends.
func pickers(t *testing.T) {
	const namespace = "team-a"
	definitions := cluster.ModuleFolder(t, "test/thirdparty/epp", "sigs.k8s.io/gateway-api-inference-extension") + "/config/crd/bases"
	run(t, "kubectl", "apply", "--server-side", "-f", definitions)
	// What the message of a graph says.
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes", "--set", "platform.dynamo-operator.inferencePool.enabled=true")
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/picker.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/picked")
	accountMay(t, "epp-serviceaccount", namespace, map[string]string{
		"watch pods": "yes",
		"watch inferencepools.inference.networking.k8s.io": "yes",
		"patch inferencepools.inference.networking.k8s.io": "no",
		"get secrets": "no",
		"create pods": "no",
		"patch dynamographdeployments.nvidia.com": "no",
	})

	gateway := filepath.Join(t.TempDir(), "gateway")
	run(t, "go", "build", "-C", "test/thirdparty/epp", "-o", gateway, "./gateway")
	address, stop := forwardPort(t, namespace, "service/picked-epp", 9002)
	defer stop()
	// picked returns the endpoints that twenty requests went to.
	picked := func() (string, error) {
		out, err := command(gateway, "-picker", address, "-model", "Qwen/Qwen3-0.6B", "-requests", "20")
		if answers := strings.Count(out, "picked-worker-"); err == nil && answers < 20 {
			err = fmt.Errorf("%d of 20 answers are of the graph's worker:\n%s", answers, out)
		}
		return out, err
	}
	onlyOf := func(frontends []string) error {
		out, err := picked()
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if address, _, _ := strings.Cut(line, ":"); !strings.Contains(strings.Join(frontends, " ")+" ", address+" ") {
				return fmt.Errorf("the picker named %s, which is none of the ready frontends %v", address, frontends)
			}
		}
		return nil
	}
	before := readyFrontends(t, namespace)
	if len(before) != 2 {
		t.Fatalf("ready frontends %v, want 2", before)
	}
	if err := onlyOf(before); err != nil {
		t.Error(err)
	}

	first := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/selector=picked-frontend", "--field-selector=status.podIP="+before[0], "-o", "name")
	run(t, "kubectl", "delete", "-n", namespace, strings.TrimSpace(first), "--wait=false")
	eventually(t, 30*time.Second, func() error { return onlyOf(before[1:]) })
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=60s", "dynamographdeployment/picked")
	eventually(t, 30*time.Second, func() error { return onlyOf(readyFrontends(t, namespace)) })

	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/picked", "--timeout=60s")
	pickedWorkers(t, namespace, gateway)
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	run(t, "kubectl", "delete", "-f", definitions)
}

// readyFrontends are the addresses of those of the graph that nobody has deleted.
func readyFrontends(t *testing.T, namespace string) []string {
	t.Helper()
	return strings.Fields(run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/selector=picked-frontend",
		"-o", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.status.podIP}} {{end}}{{end}}`))
}

// pickedWorkers: where workers have frontends of their own, the picker picks among
// them, and the worker that it names answers beside the frontend that is asked.
func pickedWorkers(t *testing.T, namespace, gateway string) {
	t.Helper()
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/pickedworkers.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/sidecars")
	names := strings.Fields(run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/selector=sidecars-decode",
		"-o", `go-template={{range .items}}{{.status.podIP}}={{.metadata.name}} {{end}}`))
	address, stop := forwardPort(t, namespace, "service/sidecars-epp", 9002)
	defer stop()
	eventually(t, 30*time.Second, func() error {
		out, err := command(gateway, "-picker", address, "-model", "Qwen/Qwen3-0.6B", "-requests", "20")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			endpoint, answer, _ := strings.Cut(line, ":")
			if !slices.ContainsFunc(names, func(name string) bool {
				ip, pod, _ := strings.Cut(name, "=")
				return ip == endpoint && strings.Contains(answer, pod)
			}) {
				return fmt.Errorf("workers %v: the answer of %s is not of the worker there: %s", names, endpoint, answer)
			}
		}
		return nil
	})
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/sidecars", "--timeout=60s")
}
