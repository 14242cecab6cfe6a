package watch

import (
	"fmt"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
)

// wanted says for each artifact that is meant by somebody, who that is: what a
// DynamoCheckpoint is of, whether it is ready or not, and what a pod that has not ended
// is to be stored as or may be restored from.
func wanted(checkpoints []v1alpha1.DynamoCheckpoint, pods []corev1.Pod) map[string]string {
	by := map[string]string{}
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, annotation := range []string{protocol.AnnotationArtifact, protocol.AnnotationRestoreFrom} {
			by[pod.Annotations[annotation]] = fmt.Sprintf("pod %s/%s", pod.Namespace, pod.Name)
		}
	}
	for i := range checkpoints {
		c := &checkpoints[i]
		who := fmt.Sprintf("DynamoCheckpoint %s/%s", c.Namespace, c.Name)
		by[checkpoint.Artifact(c)] = who
		by[path.Base(c.Status.Location)] = who // as it was when it was stored
	}
	return by
}

// idle are the artifacts that nobody means, by when that was seen first.
type idle map[string]time.Duration

// due looks at what is stored, and returns what nobody has meant for as long as grace.
// What is meant again begins anew.
func (i idle) due(stored []string, wanted map[string]string, now, grace time.Duration) []string {
	there := map[string]bool{}
	var due []string
	for _, id := range stored {
		if _, meant := wanted[id]; meant {
			continue
		}
		there[id] = true
		since, known := i[id]
		if !known {
			i[id], since = now, now
		}
		if now-since >= grace {
			due = append(due, id)
		}
	}
	for id := range i {
		if !there[id] {
			delete(i, id)
		}
	}
	return due
}
