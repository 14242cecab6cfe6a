package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelType says what a DynamoModel adds to its base model.
// +kubebuilder:validation:Enum=base;lora;adapter
type ModelType string

// Types of a model.
const (
	ModelTypeBase    ModelType = "base"
	ModelTypeLoRA    ModelType = "lora"
	ModelTypeAdapter ModelType = "adapter"
)

// DynamoModelSpec is a model that running workers are to serve.
//
// +kubebuilder:validation:XValidation:rule="!has(self.modelType) || self.modelType != 'lora' || (has(self.source) && (self.source.uri.startsWith('s3://') || self.source.uri.startsWith('hf://')))",message="a model of type lora needs source.uri, which starts with s3:// or hf://"
type DynamoModelSpec struct {
	// ModelName is the name of the model or adapter, as requests name it.
	// +kubebuilder:validation:MinLength=1
	ModelName string `json:"modelName"`

	// BaseModelName is the model that the workers run; it equals modelRef.name of their service.
	// It cannot be changed later.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="baseModelName is immutable: create a new DynamoModel instead"
	BaseModelName string `json:"baseModelName"`

	// ModelType is base, lora or adapter. It cannot be changed later.
	// +kubebuilder:default=base
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="modelType is immutable: create a new DynamoModel instead"
	ModelType ModelType `json:"modelType,omitempty"`

	// Source says where the weights of an adapter are.
	Source *ModelSource `json:"source,omitempty"`
}

// ModelSource says where weights are.
type ModelSource struct {
	// URI of the weights, for example s3://bucket/path or hf://org/model.
	URI string `json:"uri"`
}

// Condition types of a model, next to ConditionValid.
const (
	ConditionEndpointsReady = "EndpointsReady"
	ConditionServicesFound  = "ServicesFound"
)

// EndpointInfo is one worker that serves the model.
type EndpointInfo struct {
	// Address of the worker's system server, for example http://10.0.0.7:9090.
	Address string `json:"address"`

	// PodName is the name of the worker's pod.
	PodName string `json:"podName,omitempty"`

	// Ready is true when the worker serves the model.
	Ready bool `json:"ready"`
}

// DynamoModelStatus is the observed state of a model.
type DynamoModelStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Endpoints are the workers that run the base model.
	Endpoints []EndpointInfo `json:"endpoints,omitempty"`

	// ReadyEndpoints is the number of workers that serve the model.
	ReadyEndpoints int `json:"readyEndpoints"`

	// TotalEndpoints is the number of workers that run the base model.
	TotalEndpoints int `json:"totalEndpoints"`

	// Conditions of the model: EndpointsReady, ServicesFound and Valid.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DynamoModel makes running workers serve a model or an adapter of the model they run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dm,categories=dynamo
// +kubebuilder:printcolumn:name="BaseModel",type=string,JSONPath=".spec.baseModelName"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=".spec.modelType"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=".status.readyEndpoints"
// +kubebuilder:printcolumn:name="Total",type=integer,JSONPath=".status.totalEndpoints"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type DynamoModel struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired state of the model.
	Spec DynamoModelSpec `json:"spec,omitempty"`

	// Status is the observed state of the model.
	Status DynamoModelStatus `json:"status,omitzero"`
}

// DynamoModelList is a list of DynamoModel.
//
// +kubebuilder:object:root=true
type DynamoModelList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoModel `json:"items"`
}
