package validate

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ScalingAdapter checks an adapter by itself: whether it names what can be a
// graph and a service of one. Whether there are such is another matter, which
// may change.
func ScalingAdapter(adapter *v1alpha1.DynamoGraphDeploymentScalingAdapter) field.ErrorList {
	var errs field.ErrorList
	path, ref := specPath.Child("dgdRef"), adapter.Spec.DGDRef
	for _, msg := range validation.IsDNS1035Label(ref.Name) {
		errs = append(errs, field.Invalid(path.Child("name"), ref.Name, "is no name of a graph: "+msg))
	}
	if ref.ServiceName == "" {
		errs = append(errs, field.Required(path.Child("serviceName"), "name the service of the graph that is scaled"))
	}
	for _, msg := range validation.IsValidLabelValue(ref.ServiceName) {
		errs = append(errs, field.Invalid(path.Child("serviceName"), ref.ServiceName, "is no name of a service: "+msg))
	}
	errs, _ = Printable(errs, nil)
	return errs
}
