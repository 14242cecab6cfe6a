package render

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
)

// TestGoldenCheckpoint shows the checkpoint that a service has taken, the Job for it,
// and the pods that start from it.
func TestGoldenCheckpoint(t *testing.T) {
	const file = "testdata/checkpoint/graph"
	data, err := os.ReadFile(file + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if err := yaml.UnmarshalStrict(data, dgd); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Checkpoint.Enabled, cfg.Checkpoint.AgentImage, cfg.Checkpoint.SeccompProfile = true, "registry.example.com/chrek-agent:1", "profiles/block-iouring.json"
	pod, err := CheckpointPod(dgd, "Worker", cfg)
	if err != nil {
		t.Fatal(err)
	}
	made := AutoCheckpoint(dgd, "Worker", checkpoint.Hash(*dgd.Spec.Services["Worker"].Checkpoint.Identity), pod)
	component := graphComponent(dgd, "Worker", cfg, Current, "")
	component.Spec.Annotations[v1alpha1.AnnotationRestoreFrom] = made.Name
	objects, err := Component(component, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, object := range []any{made, CheckpointJob(made, cfg), objects.Deployment} {
		document, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(document)
	}
	if *update {
		if err := os.WriteFile(file+".golden.yaml", got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file + ".golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("run `make golden` if this is meant (-golden +rendered):\n%s", diff)
	}
}
