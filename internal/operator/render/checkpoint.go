package render

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
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
	template := c.Spec.Job.PodTemplateSpec.DeepCopy()
	template.ObjectMeta = metav1.ObjectMeta{
		Labels: mergeMaps(free(template.Labels), managedBy(), map[string]string{
			v1alpha1.LabelCheckpointName: c.Name, v1alpha1.LabelSelector: CheckpointPods(c.Name),
		}),
		Annotations: free(template.Annotations),
	}
	freeClaims(template.Spec.Volumes)
	checkpoint.EngineOf(cfg.Checkpoint).Source(template, checkpoint.Artifact(c))
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: CheckpointJobName(c.Name), Namespace: c.Namespace,
			Labels: mergeMaps(managedBy(), map[string]string{
				v1alpha1.LabelCheckpointName: c.Name, v1alpha1.LabelCheckpointHash: checkpoint.Hash(c.Spec.Identity),
			}),
			Annotations: map[string]string{annotationGeneration: strconv.FormatInt(c.Generation, 10)},
		},
		Spec: batchv1.JobSpec{
			ActiveDeadlineSeconds:   c.Spec.Job.ActiveDeadlineSeconds,
			BackoffLimit:            c.Spec.Job.BackoffLimit,
			TTLSecondsAfterFinished: c.Spec.Job.TTLSecondsAfterFinished,
			// What an agent could not take of one pod it cannot take of the next.
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action:          batchv1.PodFailurePolicyActionFailJob,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: protocol.ConditionCheckpointed, Status: corev1.ConditionFalse}},
			}}},
			Template: *template,
		},
	}
}

// JobIsOf reports whether a checkpoint's Job was made of its present spec.
func JobIsOf(job *batchv1.Job, c *v1alpha1.DynamoCheckpoint) bool {
	return job.Annotations[annotationGeneration] == strconv.FormatInt(c.Generation, 10)
}

// CheckpointPod is the pod that a checkpoint is taken of for a service of a graph:
// one like its own.
func CheckpointPod(dgd *v1alpha1.DynamoGraphDeployment, service string, cfg *config.OperatorConfiguration) (corev1.PodTemplateSpec, error) {
	component := graphComponent(inOneWay(dgd, Current), service, cfg, Current, "")
	component.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(dgd, v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment))}
	c, err := newComponent(component, cfg)
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	template, err := c.podTemplate()
	// Its labels are those by which Services find pods that serve.
	template.ObjectMeta = metav1.ObjectMeta{}
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return template, err
}

// AutoCheckpoint is the checkpoint of this name that a service of a graph asks for,
// of its CheckpointPod. Nobody owns it: other graphs may start from it, too.
func AutoCheckpoint(dgd *v1alpha1.DynamoGraphDeployment, service, name string, pod corev1.PodTemplateSpec) *v1alpha1.DynamoCheckpoint {
	identity := *dgd.Spec.Services[service].Checkpoint.Identity
	made := &v1alpha1.DynamoCheckpoint{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindCheckpoint},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: dgd.Namespace,
			Labels: mergeMaps(managedBy(), graphLabels(dgd.Name), map[string]string{
				v1alpha1.LabelComponent: service, v1alpha1.LabelCheckpointHash: checkpoint.Hash(identity),
			}),
		},
	}
	made.Spec.Identity, made.Spec.Job.PodTemplateSpec = identity, pod
	return made
}

// restore has the component's pods start from a checkpoint, where the graph has
// found one.
func (c *component) restore(template *corev1.PodTemplateSpec) {
	artifact := c.spec.Annotations[v1alpha1.AnnotationRestoreFrom]
	if artifact == "" || !c.config.Checkpoint.Enabled || checkpoint.CannotRestore(template) != "" {
		return
	}
	checkpoint.EngineOf(c.config.Checkpoint).Target(template, artifact)
}
