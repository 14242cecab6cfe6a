package v1beta1

import (
	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ExperimentalSpec has the settings of a component that may change with any release.
type ExperimentalSpec struct {
	// GPUMemoryService lets processes share the memory of GPUs.
	GPUMemoryService *GPUMemoryServiceSpec `json:"gpuMemoryService,omitempty"`

	// Failover keeps a second engine ready to take over.
	Failover *FailoverSpec `json:"failover,omitempty"`

	// Grove says how the component runs through Grove.
	Grove *GroveSpec `json:"grove,omitempty"`

	// Checkpoint starts the component from a checkpoint of a running worker.
	Checkpoint *ComponentCheckpointConfig `json:"checkpoint,omitempty"`
}

// GroveSpec says how a component runs through Grove.
type GroveSpec struct {
	// ForceScalingGroup makes a scaling group of a component on one node too.
	ForceScalingGroup bool `json:"forceScalingGroup,omitempty"`
}

// GPUMemoryServiceMode says who shares the memory of GPUs.
// +kubebuilder:validation:Enum=IntraPod;InterPod
type GPUMemoryServiceMode string

// Ways to share the memory of GPUs.
const (
	GPUMemoryServiceIntraPod GPUMemoryServiceMode = "IntraPod"
	GPUMemoryServiceInterPod GPUMemoryServiceMode = "InterPod"
)

// GPUMemoryServiceSpec lets processes share the memory of GPUs.
//
// +kubebuilder:validation:XValidation:rule="!has(self.extraClientContainers) || size(self.extraClientContainers) == 0 || !has(self.mode) || self.mode == 'IntraPod'",message="extraClientContainers needs mode IntraPod"
// +kubebuilder:validation:XValidation:rule="!has(self.extraClientPods) || size(self.extraClientPods) == 0 || (has(self.mode) && self.mode == 'InterPod')",message="extraClientPods needs mode InterPod"
type GPUMemoryServiceSpec struct {
	// Mode is IntraPod (the containers of a pod share, the default) or InterPod.
	// +kubebuilder:default=IntraPod
	Mode GPUMemoryServiceMode `json:"mode,omitempty"`

	// DeviceClassName is the class by which the GPUs are claimed.
	// +kubebuilder:default="gpu.nvidia.com"
	DeviceClassName string `json:"deviceClassName,omitempty"`

	// ExtraClientContainers are further containers of the pod that take part.
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ExtraClientContainers []string `json:"extraClientContainers,omitempty"`

	// ExtraClientPods are further pods that take part.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	ExtraClientPods []GMSClientPodSpec `json:"extraClientPods,omitempty"`
}

// GMSClientPodSpec is a further pod that shares the memory of GPUs.
type GMSClientPodSpec struct {
	// Name of the pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// PodTemplate is the pod, any field of a Kubernetes pod template.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	PodTemplate PodTemplate `json:"podTemplate,omitempty"`
}

// FailoverSpec keeps a second engine ready to take over.
type FailoverSpec struct {
	// Mode says where the second engine runs: IntraPod (the default) or InterPod.
	// +kubebuilder:default=IntraPod
	Mode GPUMemoryServiceMode `json:"mode,omitempty"`

	// NumShadows is the number of engines that wait. It is 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1
	NumShadows int32 `json:"numShadows,omitempty"`
}

// CheckpointStartupPolicy says what a component does while there is no checkpoint.
// +kubebuilder:validation:Enum=Immediate;WaitForCheckpoint
type CheckpointStartupPolicy string

// CheckpointDeletionPolicy says what becomes of a checkpoint with its graph.
// +kubebuilder:validation:Enum=Delete;Retain
type CheckpointDeletionPolicy string

// ComponentCheckpointConfig starts a component from a checkpoint.
//
// +kubebuilder:validation:XValidation:rule="!self.enabled || (has(self.checkpointRef) && size(self.checkpointRef) > 0) || (has(self.identity) && size(self.identity.model) > 0)",message="an enabled checkpoint needs checkpointRef, or identity with model and backendFramework"
// +kubebuilder:validation:XValidation:rule="!has(self.job) || !has(self.checkpointRef) || size(self.checkpointRef) == 0",message="job is for checkpoints that the operator takes, and cannot go with checkpointRef"
type ComponentCheckpointConfig struct {
	// Enabled starts the component from the checkpoint once that is ready.
	Enabled bool `json:"enabled"`

	// Mode is Auto (the operator takes the checkpoint when there is none, the default) or Manual.
	Mode v1alpha1.CheckpointMode `json:"mode,omitempty"`

	// StartupPolicy is Immediate (start without a checkpoint until there is one, the default) or
	// WaitForCheckpoint.
	// +kubebuilder:default=Immediate
	StartupPolicy CheckpointStartupPolicy `json:"startupPolicy,omitempty"`

	// DeletionPolicy says what becomes of a checkpoint that the operator took: Delete (the default) or Retain.
	// +kubebuilder:default=Delete
	DeletionPolicy CheckpointDeletionPolicy `json:"deletionPolicy,omitempty"`

	// CheckpointRef is the name of a DynamoCheckpoint in the same namespace.
	CheckpointRef *string `json:"checkpointRef,omitempty"`

	// Identity says which checkpoint fits, when checkpointRef is not set.
	Identity *v1alpha1.DynamoCheckpointIdentity `json:"identity,omitempty"`

	// TargetContainerName is the container that is saved.
	// +kubebuilder:default=main
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	TargetContainerName string `json:"targetContainerName,omitempty"`

	// Job changes the Job that takes the checkpoint.
	Job *ComponentCheckpointJobConfig `json:"job,omitempty"`
}

// ComponentCheckpointJobConfig changes the Job that takes a checkpoint.
type ComponentCheckpointJobConfig struct {
	// GMSClientContainers are the containers that use the GPU memory service.
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	GMSClientContainers []string `json:"gmsClientContainers,omitempty"`

	// PodTemplate is the Job's pod, any field of a Kubernetes pod template.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	PodTemplate *PodTemplate `json:"podTemplate,omitempty"`
}
