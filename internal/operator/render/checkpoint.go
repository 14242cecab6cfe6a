package render

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// annotationGeneration is, on a checkpoint's Job, the generation of the spec that
// it was made of.
const annotationGeneration = "nvidia.com/checkpoint-generation"

// CheckpointJobName is the name of the Job of a checkpoint.
func CheckpointJobName(name string) string { return "checkpoint-" + name }

// CheckpointPods is the value of v1alpha1.LabelSelector on the pods of the Job. No
// component can have such a name, so no Service finds them.
func CheckpointPods(name string) string { return "job_" + CheckpointJobName(name) }

// CheckpointJob renders the Job that takes a checkpoint for which
// validate.Checkpoint found no error.
func CheckpointJob(c *v1alpha1.DynamoCheckpoint, cfg *config.OperatorConfiguration) *batchv1.Job {
	hash := checkpoint.Hash(c.Spec.Identity)
	template := c.Spec.Job.PodTemplateSpec.DeepCopy()
	template.ObjectMeta = metav1.ObjectMeta{
		Labels: mergeMaps(free(template.Labels), managedBy(), map[string]string{
			v1alpha1.LabelCheckpointName: c.Name, v1alpha1.LabelSelector: CheckpointPods(c.Name),
		}),
		Annotations: free(template.Annotations),
	}
	freeClaims(template.Spec.Volumes)
	checkpoint.EngineOf(cfg.Checkpoint).Source(template, hash)
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: CheckpointJobName(c.Name), Namespace: c.Namespace,
			Labels: mergeMaps(managedBy(), map[string]string{
				v1alpha1.LabelCheckpointName: c.Name, v1alpha1.LabelCheckpointHash: hash,
			}),
			Annotations: map[string]string{annotationGeneration: strconv.FormatInt(c.Generation, 10)},
		},
		Spec: batchv1.JobSpec{
			ActiveDeadlineSeconds:   c.Spec.Job.ActiveDeadlineSeconds,
			BackoffLimit:            c.Spec.Job.BackoffLimit,
			TTLSecondsAfterFinished: c.Spec.Job.TTLSecondsAfterFinished,
			Template:                *template,
		},
	}
}

// JobIsOf reports whether a checkpoint's Job was made of its present spec.
func JobIsOf(job *batchv1.Job, c *v1alpha1.DynamoCheckpoint) bool {
	return job.Annotations[annotationGeneration] == strconv.FormatInt(c.Generation, 10)
}

// AutoCheckpoint is the checkpoint that a service of a graph asks for, of a pod like
// its own. Nobody owns it: other graphs may start from it, too.
func AutoCheckpoint(dgd *v1alpha1.DynamoGraphDeployment, service string, cfg *config.OperatorConfiguration) (*v1alpha1.DynamoCheckpoint, error) {
	component := graphComponent(inOneWay(dgd, Current), service, cfg, Current, "")
	component.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(dgd, v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment))}
	c, err := newComponent(component, cfg)
	if err != nil {
		return nil, err
	}
	template, err := c.podTemplate()
	if err != nil {
		return nil, err
	}
	// Its labels are those by which Services find pods that serve.
	template.ObjectMeta = metav1.ObjectMeta{}
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	identity := *dgd.Spec.Services[service].Checkpoint.Identity
	hash := checkpoint.Hash(identity)
	made := &v1alpha1.DynamoCheckpoint{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindCheckpoint},
		ObjectMeta: metav1.ObjectMeta{
			Name: hash, Namespace: dgd.Namespace,
			Labels: mergeMaps(managedBy(), graphLabels(dgd.Name), map[string]string{
				v1alpha1.LabelComponent: service, v1alpha1.LabelCheckpointHash: hash,
			}),
		},
	}
	made.Spec.Identity, made.Spec.Job.PodTemplateSpec = identity, template
	return made, nil
}

// restore has the component's pods start from a checkpoint, where the graph has
// found one.
func (c *component) restore(template *corev1.PodTemplateSpec) {
	if hash := c.spec.Annotations[v1alpha1.AnnotationRestoreFrom]; hash != "" && c.config.Checkpoint.Enabled {
		checkpoint.EngineOf(c.config.Checkpoint).Target(template, hash)
	}
}
