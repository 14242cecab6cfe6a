package conversion

import (
	"cmp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// alphaDeployment is what v1beta1 cannot say of a component that stands for itself.
type alphaDeployment struct {
	// Unnamed: the component had no name but the object's.
	Unnamed   bool       `json:"unnamed,omitempty"`
	Component *alphaRest `json:"component,omitempty"`
}

// alphaDeploymentStatus is what v1beta1 cannot say of its status.
type alphaDeploymentStatus struct {
	PodSelector map[string]string `json:"podSelector,omitempty"`
}

// betaDeploymentStatus is what v1alpha1 cannot say of its status.
type betaDeploymentStatus struct {
	Component *betaReplicasRest `json:"component,omitempty"`
}

// ComponentToBeta converts a component of v1alpha1.
func ComponentToBeta(a *v1alpha1.DynamoComponentDeployment) *v1beta1.DynamoComponentDeployment {
	a = a.DeepCopy()
	b := &v1beta1.DynamoComponentDeployment{TypeMeta: betaMeta(a.TypeMeta)}
	b.Spec.BackendFramework = a.Spec.BackendFramework
	unnamed := a.Spec.ServiceName == ""
	name := cmp.Or(a.Spec.ServiceName, a.Name)
	a.Spec.ServiceName = ""
	component := toBeta(name, &a.Spec.DynamoComponentDeploymentSharedSpec, read[betaRest](a.ObjectMeta, specAnnotation))
	b.Spec.DynamoComponentDeploymentSharedSpec = *component
	rest := alphaDeployment{Unnamed: unnamed, Component: alphaRestOf(&a.Spec.DynamoComponentDeploymentSharedSpec, component)}

	b.Status = v1beta1.DynamoComponentDeploymentStatus{ObservedGeneration: a.Status.ObservedGeneration, Conditions: a.Status.Conditions}
	if a.Status.Service != nil {
		var kept *betaReplicasRest
		if status := read[betaDeploymentStatus](a.ObjectMeta, statusAnnotation); status != nil {
			kept = status.Component
		}
		b.Status.Component = betaReplicas(a.Status.Service, kept)
	}
	smaller := alphaDeployment{Unnamed: unnamed, Component: rest.Component.withoutExact()}
	b.ObjectMeta = withKept(a.ObjectMeta, []any{rest, smaller}, []any{alphaDeploymentStatus{PodSelector: a.Status.PodSelector}})
	return b
}

// ComponentToAlpha converts a component of v1beta1.
func ComponentToAlpha(b *v1beta1.DynamoComponentDeployment) *v1alpha1.DynamoComponentDeployment {
	kept := read[alphaDeployment](b.ObjectMeta, specAnnotation)
	if kept == nil {
		kept = &alphaDeployment{}
	}
	b = b.DeepCopy()
	a := &v1alpha1.DynamoComponentDeployment{TypeMeta: alphaMeta(b.TypeMeta)}
	a.Spec.BackendFramework = b.Spec.BackendFramework
	component := &b.Spec.DynamoComponentDeploymentSharedSpec
	converted := toAlpha(component, kept.Component)
	rest := betaRestOf(component, converted)
	if rest == nil {
		rest = &betaRest{}
	}
	rest.Name = ""
	if !kept.Unnamed || component.Name != b.Name {
		converted.ServiceName = component.Name
	}
	a.Spec.DynamoComponentDeploymentSharedSpec = *converted

	a.Status = v1alpha1.DynamoComponentDeploymentStatus{ObservedGeneration: b.Status.ObservedGeneration, Conditions: b.Status.Conditions}
	if status := read[alphaDeploymentStatus](b.ObjectMeta, statusAnnotation); status != nil {
		a.Status.PodSelector = status.PodSelector
	}
	var status betaDeploymentStatus
	if b.Status.Component != nil {
		a.Status.Service, status.Component = alphaReplicas(b.Status.Component)
	}
	a.ObjectMeta = withKept(b.ObjectMeta, []any{*rest, betaRest{Rest: rest.Rest}}, []any{status})
	return a
}

// AdapterToBeta converts a scaling adapter of v1alpha1. Both versions can say everything of it.
func AdapterToBeta(a *v1alpha1.DynamoGraphDeploymentScalingAdapter) *v1beta1.DynamoGraphDeploymentScalingAdapter {
	a = a.DeepCopy()
	return &v1beta1.DynamoGraphDeploymentScalingAdapter{
		TypeMeta: betaMeta(a.TypeMeta), ObjectMeta: a.ObjectMeta,
		Spec: v1beta1.DynamoGraphDeploymentScalingAdapterSpec{
			Replicas: a.Spec.Replicas,
			DGDRef:   v1beta1.DynamoGraphDeploymentComponentRef{Name: a.Spec.DGDRef.Name, ComponentName: a.Spec.DGDRef.ServiceName},
		},
		Status: v1beta1.DynamoGraphDeploymentScalingAdapterStatus(a.Status),
	}
}

// AdapterToAlpha converts a scaling adapter of v1beta1.
func AdapterToAlpha(b *v1beta1.DynamoGraphDeploymentScalingAdapter) *v1alpha1.DynamoGraphDeploymentScalingAdapter {
	b = b.DeepCopy()
	return &v1alpha1.DynamoGraphDeploymentScalingAdapter{
		TypeMeta: alphaMeta(b.TypeMeta), ObjectMeta: b.ObjectMeta,
		Spec: v1alpha1.DynamoGraphDeploymentScalingAdapterSpec{
			Replicas: b.Spec.Replicas,
			DGDRef:   v1alpha1.DynamoGraphDeploymentServiceRef{Name: b.Spec.DGDRef.Name, ServiceName: b.Spec.DGDRef.ComponentName},
		},
		Status: v1alpha1.DynamoGraphDeploymentScalingAdapterStatus(b.Status),
	}
}
