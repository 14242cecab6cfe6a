package validate

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// group checks whether a service can be spread over its nodes.
func group(path *field.Path, engine v1alpha1.BackendFramework, s *v1alpha1.DynamoComponentDeploymentSharedSpec) (errs field.ErrorList, warnings []string) {
	if s.NodeCount() < 2 {
		return nil, nil
	}
	main := path.Child("extraPodSpec", "mainContainer")
	started, err := render.Launch(engine, s)
	if err != nil {
		return field.ErrorList{field.Invalid(main.Child("command"), field.OmitValueType{}, err.Error())}, nil
	}
	for _, note := range started.Notes {
		warnings = append(warnings, main.Child("args").String()+": "+note)
	}
	return nil, warnings
}
