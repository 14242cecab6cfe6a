package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// DynamoComponentDeploymentSpec is the desired state of one component.
type DynamoComponentDeploymentSpec struct {
	// BackendFramework is the inference engine of a worker. It is needed only where the engine
	// cannot be seen in the worker's command. It cannot be changed later.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="backendFramework is immutable: delete the object and create it anew to change the engine"
	BackendFramework v1alpha1.BackendFramework `json:"backendFramework,omitempty"`

	DynamoComponentDeploymentSharedSpec `json:",inline"`
}

// ComponentReplicaStatus says which workloads run a component and how many replicas it has.
type ComponentReplicaStatus struct {
	// ComponentKind is the kind of the workloads.
	ComponentKind v1alpha1.ComponentKind `json:"componentKind,omitempty"`

	// ComponentNames are the names of the workloads.
	ComponentNames []string `json:"componentNames,omitempty"`

	// RuntimeNamespace is the logical namespace in which the component is found.
	RuntimeNamespace string `json:"runtimeNamespace,omitempty"`

	// Replicas that exist.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// UpdatedReplicas are the replicas of the current revision.
	// +kubebuilder:validation:Minimum=0
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// ReadyReplicas are the replicas that are ready.
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas *int32 `json:"readyReplicas,omitempty"`

	// AvailableReplicas are the replicas that have been ready for long enough.
	// +kubebuilder:validation:Minimum=0
	AvailableReplicas *int32 `json:"availableReplicas,omitempty"`

	// ScheduledReplicas are the replicas that have their nodes.
	// +kubebuilder:validation:Minimum=0
	ScheduledReplicas *int32 `json:"scheduledReplicas,omitempty"`
}

// DynamoComponentDeploymentStatus is the observed state of one component.
type DynamoComponentDeploymentStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the component: Available, DynamoComponentReady and Valid.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Component says which workload runs the component and how many replicas it has.
	Component *ComponentReplicaStatus `json:"component,omitempty"`
}

// DynamoComponentDeployment runs one component of an inference graph. The operator creates one for
// every component of a DynamoGraphDeployment; it may be written by hand too.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dcd,categories=dynamo
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=".status.conditions[?(@.type=='Available')].status"
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
