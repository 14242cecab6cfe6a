package checkpoint

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// TestHashesAreThePublishedOnes: checkpoints of published operators are found.
func TestHashesAreThePublishedOnes(t *testing.T) {
	llama := v1alpha1.DynamoCheckpointIdentity{Model: "meta-llama/Llama-3-8B", BackendFramework: "vllm", Dtype: "bfloat16"}
	explicit := llama
	explicit.TensorParallelSize, explicit.PipelineParallelSize = 1, 1
	sample := v1alpha1.DynamoCheckpointIdentity{
		Model: "meta-llama/Meta-Llama-3-8B-Instruct", BackendFramework: "vllm", DynamoVersion: "0.6.0", TensorParallelSize: 1,
		PipelineParallelSize: 1, Dtype: "bfloat16", MaxModelLen: 8192, ExtraParameters: map[string]string{"enableChunkedPrefill": "true"},
	}
	wide := llama
	wide.TensorParallelSize = 2
	for name, tc := range map[string]struct {
		identity v1alpha1.DynamoCheckpointIdentity
		want     string
	}{
		"defaults":         {llama, "5941a4cb3c363457"},
		"written defaults": {explicit, "5941a4cb3c363457"},
		"the sample":       {sample, "9be4f5574b5a285d"},
	} {
		if got := Hash(tc.identity); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	if Hash(wide) == Hash(llama) {
		t.Error("the number of GPUs makes no difference")
	}
}
