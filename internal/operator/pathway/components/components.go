// Package components runs each service of a graph as a DynamoComponentDeployment.
package components

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Pathway implements pathway.Pathway.
type Pathway struct{}

// Check implements pathway.Pathway.
func (Pathway) Check(dgd *v1alpha1.DynamoGraphDeployment, cluster render.Capabilities) (render.Path, error) {
	return render.PathwayOf(dgd, cluster)
}

// Kinds implements pathway.Pathway.
func (Pathway) Kinds() []client.Object {
	return []client.Object{&v1alpha1.DynamoComponentDeployment{}}
}

// Rights implements pathway.Pathway.
func (Pathway) Rights() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{lifecycle.Rule(v1alpha1.GroupName, "dynamocomponentdeployments", lifecycle.Full...)}
}

// Objects implements pathway.Pathway.
func (Pathway) Objects(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, restarts map[string]string) []client.Object {
	var objects []client.Object
	for _, component := range render.Components(dgd, cfg) {
		if id, ok := restarts[component.Spec.ServiceName]; ok {
			if component.Spec.Annotations == nil {
				component.Spec.Annotations = map[string]string{}
			}
			component.Spec.Annotations[v1alpha1.AnnotationRestartAt] = id
		}
		objects = append(objects, component)
	}
	return objects
}

// Observe implements pathway.Pathway.
func (Pathway) Observe(objects []client.Object) map[string]pathway.Service {
	services := map[string]pathway.Service{}
	for _, object := range objects {
		component, ok := object.(*v1alpha1.DynamoComponentDeployment)
		if !ok {
			continue
		}
		service := pathway.Service{
			Status:  component.Status.Service,
			Restart: component.Spec.Annotations[v1alpha1.AnnotationRestartAt],
		}
		service.Ready, service.Message = ready(component)
		why := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionDynamoComponentReady)
		service.Blocked = !service.Ready && why != nil && why.Reason == v1alpha1.ReasonComponentBlocked && why.ObservedGeneration == component.Generation
		valid := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionValid)
		service.Refused = !service.Ready && valid != nil && valid.Status == metav1.ConditionFalse && valid.ObservedGeneration == component.Generation
		services[component.Spec.ServiceName] = service
	}
	return services
}

// ready believes a component only about its current generation.
func ready(component *v1alpha1.DynamoComponentDeployment) (ready bool, message string) {
	available := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionAvailable)
	if available == nil {
		return false, fmt.Sprintf("0/%d ready", component.Spec.DesiredReplicas())
	}
	if component.Status.ObservedGeneration < component.Generation || available.ObservedGeneration < component.Generation {
		return false, "the latest change has not been acted upon yet"
	}
	return available.Status == metav1.ConditionTrue, available.Message
}
