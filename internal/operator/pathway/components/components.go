// Package components runs each service of a graph as a DynamoComponentDeployment.
package components

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Pathway implements pathway.Pathway.
type Pathway struct{}

// Runs implements pathway.Pathway.
func (Pathway) Runs(path string) bool {
	return path == render.PathDeployment || path == render.PathLeaderWorkerSet
}

// Kinds implements pathway.Pathway.
func (Pathway) Kinds(render.Capabilities) []client.Object {
	return []client.Object{&v1alpha1.DynamoComponentDeployment{}}
}

// Rights implements pathway.Pathway.
func (Pathway) Rights(*config.OperatorConfiguration) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{lifecycle.Rule(v1alpha1.GroupName, "dynamocomponentdeployments", lifecycle.Full...)}
}

// Cached implements pathway.Pathway.
func (Pathway) Cached(render.Capabilities) map[client.Object]cache.ByObject { return nil }

// Watch implements pathway.Pathway.
func (Pathway) Watch(client.Reader, render.Capabilities, *builder.Builder) {}

// Scale implements pathway.Pathway: components have their replicas in their spec.
func (Pathway) Scale(context.Context, client.Client, *v1alpha1.DynamoGraphDeployment) error {
	return nil
}

// Objects implements pathway.Pathway.
func (Pathway) Objects(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, now pathway.Now) ([]client.Object, error) {
	return next(dgd, cfg, now), nil
}

func next(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, now pathway.Now) []client.Object {
	live := componentsOf(now.Objects)
	wanted := render.Components(dgd, cfg, version(dgd, cfg, live))
	for _, component := range wanted {
		if id, ok := now.Restarts[component.Spec.ServiceName]; ok {
			setAnnotation(&component.Spec.Annotations, v1alpha1.AnnotationRestartAt, id)
		}
		if artifact, ok := now.Checkpoints[component.Spec.ServiceName]; ok {
			setAnnotation(&component.Spec.Annotations, v1alpha1.AnnotationRestoreFrom, artifact)
		}
	}
	var objects []client.Object
	for _, component := range replace(dgd, wanted, live, now.Unseen == "") {
		objects = append(objects, component)
	}
	return objects
}

func componentsOf(objects []client.Object) []*v1alpha1.DynamoComponentDeployment {
	var components []*v1alpha1.DynamoComponentDeployment
	for _, object := range objects {
		if component, ok := object.(*v1alpha1.DynamoComponentDeployment); ok && component.DeletionTimestamp == nil {
			components = append(components, component)
		}
	}
	return components
}

func setAnnotation(annotations *map[string]string, key, value string) {
	if *annotations == nil {
		*annotations = map[string]string{}
	}
	(*annotations)[key] = value
}

// Observe implements pathway.Pathway.
func (Pathway) Observe(_ context.Context, _ pathway.Cluster, _ *v1alpha1.DynamoGraphDeployment, objects []client.Object) (map[string]pathway.Service, error) {
	return seen(objects), nil
}

func seen(objects []client.Object) map[string]pathway.Service {
	services := map[string]pathway.Service{}
	var former []*v1alpha1.DynamoComponentDeployment
	for _, component := range componentsOf(objects) {
		if givesWay(component) {
			former = append(former, component)
			continue
		}
		services[component.Spec.ServiceName] = observe(component)
	}
	for _, component := range former {
		service, replaced := services[component.Spec.ServiceName]
		if !replaced {
			service = observe(component)
			service.Ready, service.Message = false, "none, because the graph has the service no more"
		}
		services[component.Spec.ServiceName] = besides(service, component, replaced)
	}
	for _, name := range servicesOf(former) {
		services[name] = forming(services[name])
	}
	return services
}

func servicesOf(components []*v1alpha1.DynamoComponentDeployment) []string {
	names := make([]string, 0, len(components))
	for _, component := range components {
		names = append(names, component.Spec.ServiceName)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func observe(component *v1alpha1.DynamoComponentDeployment) pathway.Service {
	service := pathway.Service{
		Status:   component.Status.Service,
		Restart:  component.Spec.Annotations[v1alpha1.AnnotationRestartAt],
		Starting: len(component.Status.Conditions) == 0,
	}
	service.Ready, service.Message = ready(component)
	why := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionDynamoComponentReady)
	service.Blocked = !service.Ready && why != nil && why.Reason == v1alpha1.ReasonComponentBlocked && why.ObservedGeneration == component.Generation
	valid := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionValid)
	service.Refused = !service.Ready && valid != nil && valid.Status == metav1.ConditionFalse && valid.ObservedGeneration == component.Generation
	return service
}

// besides counts what a component of an earlier spec has of a service.
func besides(service pathway.Service, former *v1alpha1.DynamoComponentDeployment, replaced bool) pathway.Service {
	count := countOf(former)
	service.Former += count.Ready
	if replaced && former.Status.Service != nil {
		service.Status = sum(service.Status, former.Status.Service)
	}
	return service
}

// forming is a service beside whose component others of earlier specs serve.
func forming(service pathway.Service) pathway.Service {
	if service.Ready {
		service.Message, service.Formed = "ready", true
	}
	service.Ready = false
	service.Message = fmt.Sprintf("%d of an earlier spec still serve; of the present one: %s", service.Former, service.Message)
	return service
}

// sum counts what there is of both; only those of the present spec are updated.
func sum(present, former *v1alpha1.ServiceReplicaStatus) *v1alpha1.ServiceReplicaStatus {
	if present == nil {
		present = &v1alpha1.ServiceReplicaStatus{ComponentKind: former.ComponentKind, ComponentName: former.ComponentName}
	}
	both := present.DeepCopy()
	both.Replicas += former.Replicas
	add := func(to **int32, n *int32) {
		if n != nil {
			*to = ptr.To(ptr.Deref(*to, 0) + *n)
		}
	}
	add(&both.ReadyReplicas, former.ReadyReplicas)
	add(&both.AvailableReplicas, former.AvailableReplicas)
	return both
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
