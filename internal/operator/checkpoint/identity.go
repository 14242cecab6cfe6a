// Package checkpoint says what a checkpoint is, and what pods need so that one can
// be taken of them, or they be started from one.
package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Hash names an identity: the first 16 hex digits of the SHA-256 of its JSON, in
// which the order of the fields and their defaults are fixed. Folders of checkpoints
// are called so, by whatever operator they were made.
func Hash(identity v1alpha1.DynamoCheckpointIdentity) string {
	fields := struct {
		Model                string            `json:"model"`
		BackendFramework     string            `json:"backendFramework"`
		DynamoVersion        string            `json:"dynamoVersion,omitempty"`
		TensorParallelSize   int32             `json:"tensorParallelSize"`
		PipelineParallelSize int32             `json:"pipelineParallelSize"`
		Dtype                string            `json:"dtype,omitempty"`
		MaxModelLen          int32             `json:"maxModelLen,omitempty"`
		ExtraParameters      map[string]string `json:"extraParameters,omitempty"`
	}{
		identity.Model, string(identity.BackendFramework), identity.DynamoVersion,
		max(identity.TensorParallelSize, 1), max(identity.PipelineParallelSize, 1),
		identity.Dtype, identity.MaxModelLen, identity.ExtraParameters,
	}
	data, err := json.Marshal(fields)
	if err != nil { // of texts and numbers there is none that JSON does not take
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}
