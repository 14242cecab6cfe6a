package validate

import (
	"maps"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Right is what the author of an object would have to be allowed, had he to do
// himself what the object makes the operator do for him.
type Right struct {
	// Path is the field that asks for it.
	Path *field.Path
	// Attributes lack the namespace, which is that of the object.
	Attributes authorizationv1.ResourceAttributes
}

// GraphRights are those that the author of a graph needs.
func GraphRights(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration) []Right {
	rights := []Right{createRight(specPath.Child("services"), "", "pods", "")}
	for i, pvc := range dgd.Spec.PVCs {
		if pvc.Create {
			rights = append(rights, createRight(specPath.Child("pvcs").Index(i), "", "persistentvolumeclaims", pvc.Name))
		}
	}
	rights = append(rights, namedRights(specPath.Child("envs"), dgd.Spec.Envs)...)
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if service := dgd.Spec.Services[name]; service != nil {
			rights = append(rights, serviceRights(specPath.Child("services").Key(name), service, cfg)...)
		}
	}
	return rights
}

// ComponentRights are those that the author of a component needs.
func ComponentRights(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) []Right {
	return append([]Right{createRight(specPath, "", "pods", "")}, serviceRights(specPath, &dcd.Spec.DynamoComponentDeploymentSharedSpec, cfg)...)
}

func serviceRights(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec, cfg *config.OperatorConfiguration) []Right {
	rights := namedRights(path, s)
	switch ingress := s.Ingress; {
	case ingress == nil || !ingress.Enabled:
	case render.RoutedByGateway(ingress, cfg):
		rights = append(rights, createRight(path.Child("ingress"), gatewayapi.GroupVersion.Group, "httproutes", ""))
	case ingress.UseVirtualService:
		rights = append(rights, createRight(path.Child("ingress"), istio.GroupVersion.Group, "virtualservices", ""))
	default:
		rights = append(rights, createRight(path.Child("ingress"), "networking.k8s.io", "ingresses", ""))
	}
	return rights
}

// namedRights are those to the Secrets and ServiceAccounts that an object
// names. Whoever impersonates an account can do what its pods can; the verb is
// Kubernetes' own, and its ClusterRole edit has it.
func namedRights(path *field.Path, object any) []Right {
	var rights []Right
	eachText(path, object, func(at place, name string) {
		switch {
		case name == "":
		case at.namesSecret():
			rights = append(rights, Right{at.path, authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Name: name}})
		case at.namesServiceAccount():
			rights = append(rights, Right{at.path, authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "serviceaccounts", Name: name}})
		}
	})
	return rights
}

func createRight(path *field.Path, group, resource, name string) Right {
	return Right{path, authorizationv1.ResourceAttributes{Verb: "create", Group: group, Resource: resource, Name: name}}
}

// GraphOnlyScales reports whether nothing of a graph changes but the number of
// replicas, as planners and autoscalers change it.
func GraphOnlyScales(old, updated *v1alpha1.DynamoGraphDeployment) bool {
	return equality.Semantic.DeepEqual(unscaled(old), unscaled(updated))
}

func unscaled(dgd *v1alpha1.DynamoGraphDeployment) v1alpha1.DynamoGraphDeploymentSpec {
	spec := *dgd.Spec.DeepCopy()
	for _, service := range spec.Services {
		if service != nil {
			service.Replicas = nil
		}
	}
	return spec
}

// ComponentOnlyScales is the same for a component.
func ComponentOnlyScales(old, updated *v1alpha1.DynamoComponentDeployment) bool {
	a, b := *old.Spec.DeepCopy(), *updated.Spec.DeepCopy()
	a.Replicas, b.Replicas = nil, nil
	return equality.Semantic.DeepEqual(a, b)
}
