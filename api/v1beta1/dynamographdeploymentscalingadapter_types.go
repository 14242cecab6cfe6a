package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DynamoGraphDeploymentScalingAdapterSpec is the wanted scale of one component.
type DynamoGraphDeploymentScalingAdapterSpec struct {
	// Replicas that the component is to have. Autoscalers and kubectl scale write it.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// DGDRef names the component.
	DGDRef DynamoGraphDeploymentComponentRef `json:"dgdRef"`
}

// DynamoGraphDeploymentComponentRef names a component of a DynamoGraphDeployment in the same namespace.
type DynamoGraphDeploymentComponentRef struct {
	// Name of the DynamoGraphDeployment.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// ComponentName is the component's name in spec.components of the DynamoGraphDeployment.
	// +kubebuilder:validation:MinLength=1
	ComponentName string `json:"componentName"`
}

// DynamoGraphDeploymentScalingAdapterStatus is the observed scale of one component.
type DynamoGraphDeploymentScalingAdapterStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Replicas that the component has.
	Replicas int32 `json:"replicas,omitempty"`

	// Selector of the component's pods, as the scale subresource reports it.
	Selector string `json:"selector,omitempty"`

	// LastScaleTime is the last time when the DynamoGraphDeployment was scaled.
	LastScaleTime *metav1.Time `json:"lastScaleTime,omitempty"`
}

// DynamoGraphDeploymentScalingAdapter lets autoscalers scale one component of a DynamoGraphDeployment
// through the scale subresource.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=dgdsa,categories=dynamo
// +kubebuilder:printcolumn:name="DGD",type=string,JSONPath=".spec.dgdRef.name"
// +kubebuilder:printcolumn:name="COMPONENT",type=string,JSONPath=".spec.dgdRef.componentName"
// +kubebuilder:printcolumn:name="REPLICAS",type=integer,JSONPath=".status.replicas"
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=".metadata.creationTimestamp"
type DynamoGraphDeploymentScalingAdapter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wanted scale.
	Spec DynamoGraphDeploymentScalingAdapterSpec `json:"spec,omitempty"`

	// Status is the observed scale.
	Status DynamoGraphDeploymentScalingAdapterStatus `json:"status,omitempty"`
}

// DynamoGraphDeploymentScalingAdapterList is a list of DynamoGraphDeploymentScalingAdapter.
//
// +kubebuilder:object:root=true
type DynamoGraphDeploymentScalingAdapterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoGraphDeploymentScalingAdapter `json:"items"`
}
