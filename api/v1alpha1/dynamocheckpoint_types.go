package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DynamoCheckpointIdentity are the facts that decide whether a checkpoint fits a worker. Two workers
// with the same identity can be restored from the same checkpoint.
type DynamoCheckpointIdentity struct {
	// Model that is loaded, for example Qwen/Qwen3-0.6B.
	Model string `json:"model"`

	// BackendFramework is the inference engine.
	BackendFramework BackendFramework `json:"backendFramework"`

	// DynamoVersion is the version of the runtime.
	DynamoVersion string `json:"dynamoVersion,omitempty"`

	// TensorParallelSize is the number of GPUs that share each layer.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	TensorParallelSize int32 `json:"tensorParallelSize,omitempty"`

	// PipelineParallelSize is the number of groups that the layers are divided into.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	PipelineParallelSize int32 `json:"pipelineParallelSize,omitempty"`

	// Dtype is the number format of the weights, for example bfloat16.
	Dtype string `json:"dtype,omitempty"`

	// MaxModelLen is the largest context, in tokens.
	// +kubebuilder:validation:Minimum=1
	MaxModelLen int32 `json:"maxModelLen,omitempty"`

	// ExtraParameters are further facts that must be equal.
	// +kubebuilder:validation:MaxProperties=100
	ExtraParameters map[string]string `json:"extraParameters,omitempty"`
}

// DynamoCheckpointSpec is the desired checkpoint.
type DynamoCheckpointSpec struct {
	// Identity says which workers the checkpoint fits. It cannot be changed later.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.identity is immutable after creation"
	Identity DynamoCheckpointIdentity `json:"identity"`

	// Job describes the pod that is started in order to take the checkpoint.
	Job DynamoCheckpointJobConfig `json:"job"`
}

// DynamoCheckpointJobConfig describes the Job that takes the checkpoint.
type DynamoCheckpointJobConfig struct {
	// PodTemplateSpec is the pod to start and to take the checkpoint of.
	PodTemplateSpec corev1.PodTemplateSpec `json:"podTemplateSpec"`

	// ActiveDeadlineSeconds is the longest time that the Job may take, in seconds.
	// +kubebuilder:default=3600
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty"`

	// BackoffLimit is the number of retries.
	// +kubebuilder:default=3
	BackoffLimit *int32 `json:"backoffLimit,omitempty"`

	// TTLSecondsAfterFinished is the time after which the finished Job is removed, in seconds.
	// +kubebuilder:default=300
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// CheckpointPhase is a step in the life of a checkpoint.
// +kubebuilder:validation:Enum=Pending;Creating;Ready;Failed
type CheckpointPhase string

// Phases of a checkpoint.
const (
	CheckpointPhasePending  CheckpointPhase = "Pending"
	CheckpointPhaseCreating CheckpointPhase = "Creating"
	CheckpointPhaseReady    CheckpointPhase = "Ready"
	CheckpointPhaseFailed   CheckpointPhase = "Failed"
)

// CheckpointStorageType is a kind of storage for checkpoints.
// +kubebuilder:validation:Enum=pvc;s3;oci
type CheckpointStorageType string

// Kinds of storage for checkpoints.
const (
	CheckpointStoragePVC CheckpointStorageType = "pvc"
	CheckpointStorageS3  CheckpointStorageType = "s3"
	CheckpointStorageOCI CheckpointStorageType = "oci"
)

// Condition types of a checkpoint.
const (
	ConditionJobCreated   = "JobCreated"
	ConditionJobCompleted = "JobCompleted"
	// ConditionTarAvailable is True when the checkpoint is stored. The name is historical: what is
	// stored is a directory.
	ConditionTarAvailable = "TarAvailable"
)

// DynamoCheckpointStatus is the observed state of a checkpoint.
type DynamoCheckpointStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase of the checkpoint: Pending, Creating, Ready or Failed.
	Phase CheckpointPhase `json:"phase,omitempty"`

	// IdentityHash are the first 16 hex digits of the SHA-256 of the identity.
	IdentityHash string `json:"identityHash,omitempty"`

	// Location of the checkpoint in its storage.
	Location string `json:"location,omitempty"`

	// StorageType is the kind of storage.
	StorageType CheckpointStorageType `json:"storageType,omitempty"`

	// JobName is the name of the Job that takes the checkpoint.
	JobName string `json:"jobName,omitempty"`

	// CreatedAt is the time when the checkpoint became ready.
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// Message says more about the phase, above all why it is Failed.
	Message string `json:"message,omitempty"`

	// Conditions of the checkpoint: JobCreated, JobCompleted and TarAvailable.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DynamoCheckpoint is a stored image of a running worker, from which further workers start in seconds.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dckpt,categories=dynamo
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=".spec.identity.model"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.identity.backendFramework"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=".status.phase"
// +kubebuilder:printcolumn:name="Hash",type=string,JSONPath=".status.identityHash"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.message"
type DynamoCheckpoint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired checkpoint.
	Spec DynamoCheckpointSpec `json:"spec,omitempty"`

	// Status is the observed state of the checkpoint.
	Status DynamoCheckpointStatus `json:"status,omitempty"`
}

// DynamoCheckpointList is a list of DynamoCheckpoint.
//
// +kubebuilder:object:root=true
type DynamoCheckpointList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoCheckpoint `json:"items"`
}
