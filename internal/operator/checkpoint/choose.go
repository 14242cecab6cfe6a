package checkpoint

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Annotations of a checkpoint by which its owner says how long it is kept.
const (
	// AnnotationTTL is how long it is kept after it was taken, as a Go duration.
	AnnotationTTL = "nvidia.com/checkpoint-ttl"
	// AnnotationPin keeps it, whatever else is said, where it is "true".
	AnnotationPin = "nvidia.com/checkpoint-pin"
)

// Fits reports whether a service that asks for a checkpoint means this one.
func Fits(c *v1alpha1.DynamoCheckpoint, wanted *v1alpha1.ServiceCheckpointConfig) bool {
	switch {
	case wanted == nil || !wanted.Enabled:
		return false
	case wanted.CheckpointRef != "":
		return c.Name == wanted.CheckpointRef
	case wanted.Identity != nil:
		return Hash(c.Spec.Identity) == Hash(*wanted.Identity)
	}
	return false
}

// Choose is the checkpoint that a service gets whose process is this, nil for none:
// a ready one before others, and of these the oldest, so that the choice stays. One
// that was taken for a service by its identity is only of the process that it was
// taken of; what an author has made fits whatever has its identity.
func Choose(all []v1alpha1.DynamoCheckpoint, wanted *v1alpha1.ServiceCheckpointConfig, process string) *v1alpha1.DynamoCheckpoint {
	var fitting []*v1alpha1.DynamoCheckpoint
	for i := range all {
		c := &all[i]
		if !Fits(c, wanted) || c.DeletionTimestamp != nil {
			continue
		}
		if wanted.CheckpointRef == "" && isAuto(c) && Process(&c.Spec.Job.PodTemplateSpec) != process {
			continue
		}
		fitting = append(fitting, c)
	}
	if len(fitting) == 0 {
		return nil
	}
	return slices.MinFunc(fitting, func(a, b *v1alpha1.DynamoCheckpoint) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}

// isAuto: the operator notes whose pod it has taken.
func isAuto(c *v1alpha1.DynamoCheckpoint) bool {
	return c.Labels[v1alpha1.LabelComponent] != "" && len(c.Spec.Job.PodTemplateSpec.Spec.Containers) > 0
}

func rank(c *v1alpha1.DynamoCheckpoint) int {
	if IsReady(c) {
		return 0
	}
	return 1
}

// IsReady reports whether a pod can be started from a checkpoint.
func IsReady(c *v1alpha1.DynamoCheckpoint) bool {
	return c.Status.Phase == v1alpha1.CheckpointPhaseReady
}

// Surplus says why a checkpoint that is ready is kept no longer, "" if it is, and
// after which time that can change. One that is used or pinned is kept. most is how
// many a namespace keeps, 0 for all; used says which of them services mean.
func Surplus(c *v1alpha1.DynamoCheckpoint, all []v1alpha1.DynamoCheckpoint, used func(*v1alpha1.DynamoCheckpoint) bool, most int, now time.Time) (why string, again time.Duration) {
	if c.Annotations[AnnotationPin] == "true" || used(c) || c.Status.CreatedAt == nil {
		return "", 0
	}
	if ttl, err := time.ParseDuration(c.Annotations[AnnotationTTL]); err == nil && ttl > 0 {
		left := c.Status.CreatedAt.Add(ttl).Sub(now)
		if left <= 0 {
			return fmt.Sprintf("%s after it was taken, as its annotation %s says", ttl, AnnotationTTL), 0
		}
		again = left
	}
	younger := 0
	for i := range all {
		other := &all[i]
		if !IsReady(other) || other.Status.CreatedAt == nil || other.DeletionTimestamp != nil {
			continue
		}
		if cmp.Or(other.Status.CreatedAt.Compare(c.Status.CreatedAt.Time), cmp.Compare(other.Name, c.Name)) > 0 {
			younger++
		}
	}
	if most > 0 && younger >= most {
		return fmt.Sprintf("%d younger ones are there, and the operator keeps %d in a namespace", younger, most), 0
	}
	return "", again
}
