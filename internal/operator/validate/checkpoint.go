package validate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
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
	errs = append(errs, labelSyntax(pod.Labels, template.Child("metadata", "labels"))...)
	errs = append(errs, annotationSyntax(pod.Annotations, template.Child("metadata", "annotations"))...)
	errs = append(errs, borrowedBy(template, pod, "", cfg)...)
	errs, _ = Printable(errs, nil)
	return errs
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
