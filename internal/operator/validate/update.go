package validate

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// GraphUpdate checks what may not change from one version of a graph to the
// next. mayScale says whether the author may change the replicas of a service
// that has a scaling adapter; only the operator and planners may.
func GraphUpdate(old, updated *v1alpha1.DynamoGraphDeployment, mayScale bool) field.ErrorList {
	errs := framework(old.Spec.BackendFramework, updated.Spec.BackendFramework)
	services := specPath.Child("services")
	for _, name := range slices.Sorted(maps.Keys(updated.Spec.Services)) {
		before, after := old.Spec.Services[name], updated.Spec.Services[name]
		if before == nil || after == nil {
			continue
		}
		path := services.Key(name)
		// An adapter that is only now turned on starts from the replicas given
		// with it, and a graph that leaves them out says nothing against it.
		unsaid := after.Replicas == nil
		if render.HasScalingAdapter(before) && render.HasScalingAdapter(after) && !mayScale && !unsaid && before.DesiredReplicas() != after.DesiredReplicas() {
			errs = append(errs, field.Forbidden(path.Child("replicas"), fmt.Sprintf(
				"the scaling adapter owns the replicas: leave them out, and use kubectl scale -n %s dgdsa/%s --replicas=%d",
				updated.Namespace, render.ComponentName(updated.Name, name), after.DesiredReplicas())))
		}
	}
	return errs
}

// ComponentUpdate checks what may not change from one version of a component
// to the next.
func ComponentUpdate(old, updated *v1alpha1.DynamoComponentDeployment) field.ErrorList {
	return framework(old.Spec.BackendFramework, updated.Spec.BackendFramework)
}

func framework(old, updated v1alpha1.BackendFramework) field.ErrorList {
	if old == updated {
		return nil
	}
	return field.ErrorList{field.Forbidden(specPath.Child("backendFramework"),
		fmt.Sprintf("cannot change from %q to %q: delete the object and create it anew", old, updated))}
}
