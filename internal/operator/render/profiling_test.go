package render

import (
	"bytes"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// TestGoldenProfiling shows the Job of a request, and what its pods may write to.
func TestGoldenProfiling(t *testing.T) {
	for _, name := range []string{"minimal", "everything"} {
		t.Run(name, func(t *testing.T) {
			file := "testdata/profiling/" + name
			data, err := os.ReadFile(file + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			request := &v1alpha1.DynamoGraphDeploymentRequest{}
			if err := yaml.UnmarshalStrict(data, request); err != nil {
				t.Fatal(err)
			}
			cfg := testConfig()
			cfg.Profiling.PublisherImage = "registry.example.com/operator:1"
			job, err := ProfilingJob(request, cfg, Hardware{GPUsPerNode: 8, Model: "H200", MemoryMiB: 143771})
			if err != nil {
				t.Fatal(err)
			}
			if spec := StartedSpec(job); spec == nil || !reflect.DeepEqual(*spec, request.Spec) {
				t.Errorf("the Job was begun with %+v, and says %+v", request.Spec, spec)
			}
			output, role, binding := ProfilingResults(request)
			var got bytes.Buffer
			for _, object := range []any{job, output, role, binding} {
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
		})
	}
}
