package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DynamoComponentDeploymentSpec is the desired state of one component.
type DynamoComponentDeploymentSpec struct {
	// BackendFramework is the inference engine of a worker. It is needed only where the engine
	// cannot be seen in the worker's command. It cannot be changed later.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="backendFramework is immutable: delete the object and create it anew to change the engine"
	BackendFramework BackendFramework `json:"backendFramework,omitempty"`

	DynamoComponentDeploymentSharedSpec `json:",inline"`
}

// Condition types of a component.
const (
	// ConditionAvailable is True when the component's workload has its replicas available.
	ConditionAvailable = "Available"
	// ConditionDynamoComponentReady is True when the component has been deployed.
	ConditionDynamoComponentReady = "DynamoComponentReady"
	// ConditionValid is True when the spec has passed validation; DynamoModel has it too.
	ConditionValid = "Valid"
)

// Reasons of a component's conditions.
const (
	ReasonReconciling              = "Reconciling"
	ReasonDeploymentReady          = "DeploymentReady"
	ReasonDeploymentNotReady       = "DeploymentNotReady"
	ReasonLeaderWorkerSetsReady    = "AllLeaderWorkerSetsReady"
	ReasonLeaderWorkerSetsNotReady = "SomeLeaderWorkerSetsNotReady"
	ReasonComponentReady           = "ComponentReady"
	ReasonComponentNotReady        = "ComponentNotReady"
	// ReasonComponentBlocked: waiting does not help.
	ReasonComponentBlocked = "ComponentBlocked"
)

// DynamoComponentDeploymentStatus is the observed state of one component.
type DynamoComponentDeploymentStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the component: Available, DynamoComponentReady and Valid.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// PodSelector are the labels that select the component's pods.
	PodSelector map[string]string `json:"podSelector,omitempty"`

	// Service says which workload runs the component and how many replicas it has.
	Service *ServiceReplicaStatus `json:"service,omitempty"`
}

// DynamoComponentDeployment runs one component of an inference graph. The operator creates one for
// every service of a DynamoGraphDeployment; it may be written by hand too.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dcd,categories=dynamo
// +kubebuilder:printcolumn:name="DynamoComponent",type=string,JSONPath=".spec.serviceName"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=".spec.componentType"
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=".status.conditions[?(@.type=='Available')].status"
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=".spec.replicas"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=".status.service.readyReplicas"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.backendFramework"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Available')].message"
type DynamoComponentDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired state of the component.
	Spec DynamoComponentDeploymentSpec `json:"spec,omitempty"`

	// Status is the observed state of the component.
	Status DynamoComponentDeploymentStatus `json:"status,omitempty"`
}

// DynamoComponentDeploymentList is a list of DynamoComponentDeployment.
//
// +kubebuilder:object:root=true
type DynamoComponentDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoComponentDeployment `json:"items"`
}
