package validate

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// namesSecret: the fields of a pod that name a Secret are called so, whatever
// kind of volume or variable they belong to.
func (at place) namesSecret() bool {
	return at.field == "secretName" || at.field == "envFromSecret" ||
		at.field == "name" && strings.Contains(strings.ToLower(at.parent), "secret")
}

func (at place) namesServiceAccount() bool {
	return at.field == "serviceAccountName" || at.field == "serviceAccount"
}

// borrowed refuses identities and Secrets of the platform: whoever may write
// graphs would have the rights of whatever lies in their namespace.
func borrowed(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec, cfg *config.OperatorConfiguration) field.ErrorList {
	return borrowedBy(path, s, s.ComponentType, cfg)
}

// borrowedBy does so for whatever runs as a component of a type.
func borrowedBy(path *field.Path, object any, componentType string, cfg *config.OperatorConfiguration) field.ErrorList {
	var errs field.ErrorList
	eachText(path, object, func(at place, name string) {
		switch {
		case at.namesSecret() && cfg.Platform.OwnsSecret(name):
			errs = append(errs, field.Forbidden(at.path, fmt.Sprintf("Secret %s belongs to the platform or to Helm: name one of your own", name)))
		case at.namesServiceAccount() && cfg.Platform.OwnsServiceAccount(name):
			errs = append(errs, field.Forbidden(at.path, fmt.Sprintf("ServiceAccount %s belongs to the platform: name one of your own, or none", name)))
		case at.namesServiceAccount() && name == render.ProfilingServiceAccount:
			errs = append(errs, field.Forbidden(at.path, fmt.Sprintf("ServiceAccount %s is for profiling Jobs", name)))
		case at.namesServiceAccount() && name == render.PlannerServiceAccount && componentType != v1alpha1.ComponentTypePlanner:
			errs = append(errs, field.Forbidden(at.path, fmt.Sprintf("ServiceAccount %s is for services of componentType %s", name, v1alpha1.ComponentTypePlanner)))
		case at.namesServiceAccount() && name == render.PickerServiceAccount && componentType != v1alpha1.ComponentTypeEPP:
			errs = append(errs, field.Forbidden(at.path, fmt.Sprintf("ServiceAccount %s is for services of componentType %s", name, v1alpha1.ComponentTypeEPP)))
		}
	})
	return errs
}
