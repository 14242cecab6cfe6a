//go:build e2e

package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
)

// TestWhatNobodyMeansAnyMoreGoes: an artifact stays as long as its DynamoCheckpoint or a
// pod that starts from it.
func TestWhatNobodyMeansAnyMoreGoes(t *testing.T) {
	knowCheckpoints(t)
	meant := &v1alpha1.DynamoCheckpoint{}
	meant.APIVersion, meant.Kind, meant.Name = v1alpha1.GroupVersion.String(), "DynamoCheckpoint", "meant"
	meant.Spec.Identity.Model, meant.Spec.Identity.BackendFramework = "llama", "vllm"
	meant.Spec.Job.PodTemplateSpec.Spec.Containers = []corev1.Container{{Name: "main", Image: worker}}
	hash := checkpoint.Hash(meant.Spec.Identity)
	applyObject(t, meant)
	apply(t, target("holds", worker, "held"))

	old := time.Now().Add(-3 * time.Hour)
	for _, name := range []string{hash, "held", "orphan", ".new@another-node@1"} {
		dir := filepath.Join(store, team, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(name string) func() bool {
		return func() bool {
			_, err := os.Stat(filepath.Join(store, team, name))
			return os.IsNotExist(err)
		}
	}
	await(t, "an artifact that nobody means has gone", gone("orphan"))
	await(t, "the draft of a node that is gone has gone", gone(".new@another-node@1"))
	if gone(hash)() || gone("held")() {
		t.Error("one that is meant has gone too")
	}
	run(t, "delete", "dynamocheckpoint", "meant")
	run(t, "delete", "pod", "holds", "--grace-period=1", "--wait")
	await(t, "the artifact has gone after its DynamoCheckpoint", gone(hash))
	await(t, "the artifact has gone after its pod", gone("held"))
}

// knowCheckpoints has the API server know DynamoCheckpoints for the length of a test:
// where it does not, agents cannot say what is meant by nobody, and remove nothing.
func knowCheckpoints(t *testing.T) {
	t.Helper()
	const definition = "charts/crds/definitions/dynamocheckpoints.yaml"
	if _, err := command("", "kubectl", "apply", "--server-side", "-f", definition); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := command("", "kubectl", "delete", "--wait", "-f", definition); err != nil {
			t.Error(err)
		}
	})
	await(t, "DynamoCheckpoints are served", func() bool {
		_, err := command("", "kubectl", "-n", team, "get", "dynamocheckpoints")
		return err == nil
	})
}

func applyObject(t *testing.T, object any) {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command(string(text), "kubectl", "-n", team, "apply", "-f", "-"); err != nil {
		t.Fatal(fmt.Errorf("%w\n%s", err, text))
	}
}
