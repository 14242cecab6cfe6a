package validate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// longestCheckpointName leaves room for what the Job is called, in characters.
const longestCheckpointName = 52

// Checkpoint checks a checkpoint by itself.
func Checkpoint(c *v1alpha1.DynamoCheckpoint, cfg *config.OperatorConfiguration) field.ErrorList {
	errs := zeroBytes(specPath, &c.Spec)
	if excess := len(c.Name) - longestCheckpointName; excess > 0 {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), c.Name, fmt.Sprintf("%d characters too long, %d are allowed", excess, longestCheckpointName)))
	}
	identity := specPath.Child("identity")
	if c.Spec.Identity.Model == "" {
		errs = append(errs, field.Required(identity.Child("model"), "the model that the worker has loaded"))
	}
	if c.Spec.Identity.BackendFramework == "" {
		errs = append(errs, field.Required(identity.Child("backendFramework"), "the engine that has loaded it"))
	}
	template := specPath.Child("job", "podTemplateSpec")
	pod := &c.Spec.Job.PodTemplateSpec
	if len(pod.Spec.Containers) == 0 {
		errs = append(errs, field.Required(template.Child("spec", "containers"), "the worker that a checkpoint is taken of"))
	}
	for i := range pod.Spec.Containers {
		errs = append(errs, oneGPU(template.Child("spec", "containers").Index(i).Child("resources"), render.GPUs(pod.Spec.Containers[i].Resources))...)
	}
	errs = append(errs, oneProcess(identity, &c.Spec.Identity)...)
	errs = append(errs, labelSyntax(pod.Labels, template.Child("metadata", "labels"))...)
	errs = append(errs, annotationSyntax(pod.Annotations, template.Child("metadata", "annotations"))...)
	errs = append(errs, borrowedBy(template, pod, "", cfg)...)
	errs, _ = Printable(errs, nil)
	return errs
}

// fromCheckpoint refuses services of which no checkpoint can be taken.
func fromCheckpoint(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	if s.Checkpoint == nil || !s.Checkpoint.Enabled {
		return nil
	}
	enabled := path.Child("enabled")
	var errs field.ErrorList
	if nodes := s.NodeCount(); nodes > 1 {
		errs = append(errs, field.Forbidden(enabled, fmt.Sprintf("the service runs on %d nodes, and no checkpoint is taken of a group of pods", nodes)))
	}
	errs = append(errs, oneGPU(enabled, render.GPUsOf(s))...)
	if s.Checkpoint.Identity != nil {
		errs = append(errs, oneProcess(path.Child("identity"), s.Checkpoint.Identity)...)
	}
	return errs
}

func oneGPU(path *field.Path, gpus int64) field.ErrorList {
	if gpus <= 1 {
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%d GPUs: no process that holds several is restored, so take checkpoints of workers with one", gpus))}
}

// oneProcess: parallel engines hold a GPU in each of their processes.
func oneProcess(path *field.Path, identity *v1alpha1.DynamoCheckpointIdentity) field.ErrorList {
	ranks := max(identity.TensorParallelSize, 1) * max(identity.PipelineParallelSize, 1)
	if ranks <= 1 {
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("tensorParallelSize times pipelineParallelSize is %d, the number of GPUs: no checkpoint is taken of several", ranks))}
}

// CheckpointUpdate checks what may not change from one version of a checkpoint to
// the next.
func CheckpointUpdate(old, updated *v1alpha1.DynamoCheckpoint) field.ErrorList {
	if equality.Semantic.DeepEqual(old.Spec.Identity, updated.Spec.Identity) {
		return nil
	}
	return field.ErrorList{field.Forbidden(specPath.Child("identity"), "cannot change: create another checkpoint")}
}

// CheckpointRights are those that the author of a checkpoint needs.
func CheckpointRights(c *v1alpha1.DynamoCheckpoint) []Right {
	template := specPath.Child("job", "podTemplateSpec")
	return append([]Right{createRight(template, "", "pods", "")}, namedRights(template, &c.Spec.Job.PodTemplateSpec)...)
}
