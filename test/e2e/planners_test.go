//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// planners: a planner, and then Kubernetes' own autoscaler, which sees the workers
// use much and then little, scale a service through its adapter, and the graph follows.
func planners(t *testing.T) {
	const namespace, graph = "team-a", "dynamographdeployment/planned"
	manifests, err := os.ReadFile(filepath.Join(root, "test/e2e/testdata/planner.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	planned, autoscaler, _ := strings.Cut(string(manifests), "---\n")
	apply := func(manifest string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", file)
	}
	scaledTo := func(replicas string) {
		t.Helper()
		eventually(t, 2*time.Minute, func() error {
			got := run(t, "kubectl", "get", "-n", namespace, graph, "-o",
				`jsonpath={.spec.services.Worker.replicas} {.status.services.Worker.readyReplicas} {.status.conditions[?(@.type=="Ready")].status}`)
			if want := replicas + " " + replicas + " True"; got != want {
				return fmt.Errorf("the graph wants, has and is %q, want %q", got, want)
			}
			return nil
		})
	}
	apply(planned)
	scaledTo("2")
	accountMay(t, "planner-serviceaccount", namespace, map[string]string{
		"patch dynamographdeploymentscalingadapters.nvidia.com --subresource=scale": "yes",
		"get dynamographdeployments.nvidia.com":                                     "yes",
		"delete dynamographdeployments.nvidia.com":                                  "no",
		"patch dynamographdeploymentscalingadapters.nvidia.com":                     "no",
		"get secrets": "no",
		"create pods": "no",
	})
	use := metricsServer(t)
	use.Store(1000)
	apply(autoscaler)
	scaledTo("3")
	use.Store(10)
	scaledTo("1")
	run(t, "kubectl", "delete", "-n", namespace, "horizontalpodautoscaler/planned", graph, "--timeout=60s")
}

// accountMay asks what an account in its namespace may; whatever that is, it is
// nobody in another tenant's.
func accountMay(t *testing.T, account, namespace string, rights map[string]string) {
	t.Helper()
	user := "system:serviceaccount:" + namespace + ":" + account
	ask := func(in, may, want string) {
		// It ends with 1 where the answer is no.
		out, _ := command(append([]string{"kubectl", "auth", "can-i", "-n", in, "--as", user}, strings.Fields(may)...)...)
		if got := strings.TrimSpace(out); got != want {
			t.Errorf("may %s %s in %s: %q, want %s", account, may, in, got, want)
		}
	}
	for may, want := range rights {
		ask(namespace, may, want)
		ask("team-b", may, "no")
	}
}
