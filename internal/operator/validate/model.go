package validate

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Model checks a model by itself.
func Model(m *v1alpha1.DynamoModel) field.ErrorList {
	var errs field.ErrorList
	if m.Spec.ModelName == "" {
		errs = append(errs, field.Required(specPath.Child("modelName"), "the name by which requests ask for the model"))
	}
	if m.Spec.BaseModelName == "" {
		errs = append(errs, field.Required(specPath.Child("baseModelName"), "the model that the workers run"))
	}
	if m.Spec.ModelType == v1alpha1.ModelTypeLoRA {
		errs = append(errs, weights(specPath.Child("source"), m.Spec.Source)...)
	}
	errs, _ = Printable(errs, nil)
	return errs
}

func weights(path *field.Path, source *v1alpha1.ModelSource) field.ErrorList {
	switch {
	case source == nil:
		return field.ErrorList{field.Required(path, "a model of type lora needs to know where its weights are")}
	case source.URI == "":
		return field.ErrorList{field.Required(path.Child("uri"), "a model of type lora needs to know where its weights are")}
	case !strings.HasPrefix(source.URI, "s3://") && !strings.HasPrefix(source.URI, "hf://"):
		return field.ErrorList{field.Invalid(path.Child("uri"), source.URI, "must start with s3:// or hf://")}
	}
	return nil
}

// ModelUpdate checks what may not change from one version of a model to the next.
func ModelUpdate(old, updated *v1alpha1.DynamoModel) field.ErrorList {
	var errs field.ErrorList
	fixed := func(name, before, after string) {
		if before != after {
			errs = append(errs, field.Forbidden(specPath.Child(name),
				fmt.Sprintf("cannot change from %q to %q: delete the model and create it anew", before, after)))
		}
	}
	fixed("modelType", string(old.Spec.ModelType), string(updated.Spec.ModelType))
	fixed("baseModelName", old.Spec.BaseModelName, updated.Spec.BaseModelName)
	return errs
}
