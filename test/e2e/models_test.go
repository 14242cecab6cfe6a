//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// adapters: a DynamoModel is loaded by the graph's workers, those that come later
// too, and its name is among the models until it is deleted.
func adapters(t *testing.T) {
	const namespace = "team-a"
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/lora.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/adapters")
	served := func() {
		t.Helper()
		run(t, "kubectl", "wait", "-n", namespace, "--for=condition=EndpointsReady", "--timeout=90s", "dynamomodel/law")
	}
	served()
	address, stop := forward(t, namespace, "service/adapters-frontend")
	defer stop()
	if err := lists(address, "acme/law-lora", true); err != nil {
		t.Error("Ready, but", err)
	}

	run(t, "kubectl", "delete", "pod", "-n", namespace, "-l", "nvidia.com/selector=adapters-worker", "--wait")
	eventually(t, 90*time.Second, func() error {
		out := run(t, "kubectl", "get", "-n", namespace, "dynamomodel/law", "-o", "jsonpath={.status.endpoints[*].podName} {.status.readyEndpoints}/{.status.totalEndpoints}")
		pods := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/selector=adapters-worker", "-o", "jsonpath={.items[*].metadata.name}")
		if out != pods+" 1/1" {
			return fmt.Errorf("the model is at %q, the worker is %q", out, pods)
		}
		return lists(address, "acme/law-lora", true)
	})

	run(t, "kubectl", "delete", "-n", namespace, "dynamomodel/law", "--timeout=60s")
	eventually(t, 30*time.Second, func() error { return lists(address, "acme/law-lora", false) })
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/adapters")
}

// lists tells whether a frontend lists a model as it should.
func lists(address, model string, want bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v1/models", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Data []struct{ ID string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	listed := false
	for _, entry := range answer.Data {
		listed = listed || entry.ID == model
	}
	if listed != want {
		return fmt.Errorf("the frontend lists %v", answer.Data)
	}
	return nil
}
