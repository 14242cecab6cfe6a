package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DynamoGraphDeploymentScalingAdapterSpec is the wanted scale of one service.
type DynamoGraphDeploymentScalingAdapterSpec struct {
	// Replicas that the service is to have. Autoscalers and kubectl scale write it.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// DGDRef names the service.
	DGDRef DynamoGraphDeploymentServiceRef `json:"dgdRef"`
}

// DynamoGraphDeploymentServiceRef names a service of a DynamoGraphDeployment in the same namespace.
type DynamoGraphDeploymentServiceRef struct {
	// Name of the DynamoGraphDeployment.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// ServiceName is the service's key in spec.services of the DynamoGraphDeployment.
	// +kubebuilder:validation:MinLength=1
	ServiceName string `json:"serviceName"`
}

// DynamoGraphDeploymentScalingAdapterStatus is the observed scale of one service.
type DynamoGraphDeploymentScalingAdapterStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Replicas that the service has.
	Replicas int32 `json:"replicas,omitempty"`

	// Selector of the service's pods, as the scale subresource reports it.
	Selector string `json:"selector,omitempty"`

	// LastScaleTime is the last time when the DynamoGraphDeployment was scaled.
	LastScaleTime *metav1.Time `json:"lastScaleTime,omitempty"`
}

// DynamoGraphDeploymentScalingAdapter lets autoscalers scale one service of a DynamoGraphDeployment
// through the scale subresource.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=dgdsa,categories=dynamo
// +kubebuilder:printcolumn:name="DGD",type=string,JSONPath=".spec.dgdRef.name"
// +kubebuilder:printcolumn:name="SERVICE",type=string,JSONPath=".spec.dgdRef.serviceName"
// +kubebuilder:printcolumn:name="DESIRED",type=integer,JSONPath=".spec.replicas"
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
