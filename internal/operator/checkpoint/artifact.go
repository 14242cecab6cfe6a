package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// Artifact names what is stored of a checkpoint: the hash of its identity, as
// published, or its own name where that continues the hash.
func Artifact(c *v1alpha1.DynamoCheckpoint) string {
	hash := Hash(c.Spec.Identity)
	if strings.HasPrefix(c.Name, hash+"-") && protocol.ValidArtifact(c.Name) {
		return c.Name
	}
	return hash
}

// Process is a digest of what a pod's process is started with: image, command,
// arguments and environment, without what another graph or pod would change. A
// process that is restored goes on with all that, whatever its new pod says.
func Process(pod *corev1.PodTemplateSpec) string {
	main := mainContainer(&pod.Spec)
	started := struct {
		Image   string
		Command []string
		Args    []string
		Env     []corev1.EnvVar
	}{Image: main.Image, Command: main.Command, Args: main.Args}
	for _, variable := range main.Env {
		if !isPlace(variable.Name) {
			started.Env = append(started.Env, variable)
		}
	}
	data, err := json.Marshal(started)
	if err != nil { // of texts there is none that JSON does not take
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:8]
}

func isPlace(variable string) bool {
	for _, place := range places {
		if place.variable == variable {
			return true
		}
	}
	return false
}

// AutoName is the name of the checkpoint to take for a service, beside all that
// there are: the hash of the identity, and for further processes of the same
// identity their digest, too.
func AutoName(all []v1alpha1.DynamoCheckpoint, hash, process string) string {
	if slices.ContainsFunc(all, func(c v1alpha1.DynamoCheckpoint) bool { return Artifact(&c) == hash }) {
		return hash + "-" + process
	}
	return hash
}

// SameArtifact is the checkpoint that has the artifact of another one's name for
// itself, nil if there is none: two would replace what the other has stored.
func SameArtifact(c *v1alpha1.DynamoCheckpoint, all []v1alpha1.DynamoCheckpoint) *v1alpha1.DynamoCheckpoint {
	for i := range all {
		other := &all[i]
		if other.UID != c.UID && Artifact(other) == Artifact(c) && (IsReady(other) || before(other, c)) {
			return other
		}
	}
	return nil
}

func before(a, b *v1alpha1.DynamoCheckpoint) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
