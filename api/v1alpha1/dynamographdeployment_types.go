package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DynamoGraphDeploymentSpec is the desired state of an inference graph.
//
// +kubebuilder:validation:XValidation:rule="!has(self.restart) || !has(self.restart.strategy) || !has(self.restart.strategy.order) || size(self.restart.strategy.order) == 0 || (has(self.services) && size(self.restart.strategy.order) == size(self.services) && self.restart.strategy.order.all(s, s in self.services))",message="restart.strategy.order must name every service of spec.services exactly once"
type DynamoGraphDeploymentSpec struct {
	// BackendFramework is the inference engine of the graph's workers. It is needed only where the
	// engine cannot be seen in a worker's command. It cannot be changed later.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="backendFramework is immutable: delete the object and create it anew to change the engine"
	BackendFramework BackendFramework `json:"backendFramework,omitempty"`

	// Envs are environment variables for the main container of every service. A variable of the
	// same name in a service's own envs wins. They are copied into every service.
	// +kubebuilder:validation:MaxItems=1000
	Envs []corev1.EnvVar `json:"envs,omitempty"`

	// PVCs are the persistent volume claims that the services' volumeMounts refer to by name.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	PVCs []PVC `json:"pvcs,omitempty"`

	// Restart asks for a restart of the graph's services.
	Restart *Restart `json:"restart,omitempty"`

	// Services are the parts of the graph: frontend, workers, planner and so on. The key is the
	// service's name; objects are named after it in lower case. A graph has 25 of them at most.
	// +kubebuilder:validation:MaxProperties=25
	Services map[string]*DynamoComponentDeploymentSharedSpec `json:"services,omitempty"`
}

// PVC names a persistent volume claim in the graph's namespace, to be created or to be used as it is.
//
// +kubebuilder:validation:XValidation:rule="!has(self.create) || !self.create || (has(self.size) && has(self.volumeAccessMode))",message="a claim with create: true needs size and volumeAccessMode"
type PVC struct {
	// Name of the claim, used as it is.
	Name string `json:"name"`

	// Create the claim when it does not exist. When false, the claim must exist already.
	Create bool `json:"create,omitempty"`

	// StorageClass of the claim to create. Default: the cluster's default class.
	StorageClass string `json:"storageClass,omitempty"`

	// Size of the claim to create, for example 100Gi.
	Size resource.Quantity `json:"size,omitzero"`

	// VolumeAccessMode of the claim to create: ReadWriteOnce, ReadOnlyMany, ReadWriteMany or
	// ReadWriteOncePod.
	VolumeAccessMode corev1.PersistentVolumeAccessMode `json:"volumeAccessMode,omitempty"`
}

// Restart asks for a restart of the graph's services.
type Restart struct {
	// ID of the restart. Every new value restarts the graph once; a time stamp serves well.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	ID string `json:"id"`

	// Strategy says in which way the services restart. Default: one after the other, by name.
	Strategy *RestartStrategy `json:"strategy,omitempty"`
}

// RestartStrategyType says in which way services restart.
// +kubebuilder:validation:Enum=Sequential;Parallel
type RestartStrategyType string

// Ways to restart.
const (
	RestartStrategySequential RestartStrategyType = "Sequential"
	RestartStrategyParallel   RestartStrategyType = "Parallel"
)

// RestartStrategy says in which way and order the services restart.
//
// +kubebuilder:validation:XValidation:rule="!has(self.order) || size(self.order) == 0 || !has(self.type) || self.type == 'Sequential'",message="order has a meaning only with type Sequential"
type RestartStrategy struct {
	// Type is Sequential (one service after the other, the default) or Parallel (all at once).
	// +kubebuilder:default=Sequential
	Type RestartStrategyType `json:"type,omitempty"`

	// Order of a sequential restart. It names every service exactly once. Default: by name.
	// +kubebuilder:validation:MaxItems=25
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Order []string `json:"order,omitempty"`
}

// GraphState summarises the graph's condition.
// +kubebuilder:validation:Enum="";initializing;pending;successful;failed
type GraphState string

// States of a graph. An empty state means that the operator has not seen the graph yet.
const (
	GraphStateInitializing GraphState = "initializing"
	GraphStatePending      GraphState = "pending"
	GraphStateSuccessful   GraphState = "successful"
	GraphStateFailed       GraphState = "failed"
)

// ConditionReady is True when every service of the graph runs as the current spec wants it.
const ConditionReady = "Ready"

// Further conditions of a graph.
const (
	// ConditionPathwayChosen is True with the kind of workload that the graph needs as its reason, and
	// False with reason MissingAPI while the cluster lacks it.
	ConditionPathwayChosen = "PathwayChosen"
	// ConditionGroupsScheduledAsOne is there, and False, while the pods of a group over several nodes
	// are scheduled one by one.
	ConditionGroupsScheduledAsOne = "GroupsScheduledAsOne"
)

// Reasons of a graph's Ready condition.
const (
	ReasonAllResourcesReady     = "all_resources_are_ready"
	ReasonSomeResourcesNotReady = "some_resources_are_not_ready"
	ReasonReconcileFailed       = "failed_to_reconcile_the_resources"
	ReasonFinalizerFailed       = "failed_to_handle_the_finalizer"
	ReasonValidationFailed      = "ValidationFailed"
	ReasonValidationPassed      = "ValidationPassed"
	ReasonMultinodeNotAvailable = "MultinodeOrchestratorNotAvailable"
	// The cluster lacks the API that an endpoint picker needs.
	ReasonInferencePoolNotAvailable = "InferencePoolNotAvailable"
)

// DynamoGraphDeploymentStatus is the observed state of an inference graph.
type DynamoGraphDeploymentStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// State summarises the graph: pending, successful or failed. The Ready condition says why.
	State GraphState `json:"state,omitempty"`

	// Conditions of the graph. Type Ready says whether all services run as the spec wants.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Services says for each service which workload runs it and how many replicas it has.
	Services map[string]ServiceReplicaStatus `json:"services,omitempty"`

	// Restart is the progress of the restart that spec.restart asked for.
	Restart *RestartStatus `json:"restart,omitempty"`

	// Checkpoints says for each service with a checkpoint which one it uses.
	Checkpoints map[string]ServiceCheckpointStatus `json:"checkpoints,omitempty"`
}

// RestartPhase is a step of a restart.
// +kubebuilder:validation:Enum=Pending;Restarting;Completed;Failed;Superseded
type RestartPhase string

// Phases of a restart.
const (
	RestartPhasePending    RestartPhase = "Pending"
	RestartPhaseRestarting RestartPhase = "Restarting"
	RestartPhaseCompleted  RestartPhase = "Completed"
	RestartPhaseFailed     RestartPhase = "Failed"
	RestartPhaseSuperseded RestartPhase = "Superseded"
)

// RestartStatus is the progress of a restart.
type RestartStatus struct {
	// ObservedID is the restart id last acted upon.
	ObservedID string `json:"observedID,omitempty"`

	// Phase of the restart: Pending, Restarting, Completed, Failed or Superseded.
	Phase RestartPhase `json:"phase,omitempty"`

	// InProgress names the services being restarted now.
	InProgress []string `json:"inProgress,omitempty"`
}

// ServiceCheckpointStatus says which checkpoint a service uses.
type ServiceCheckpointStatus struct {
	// CheckpointName is the name of the DynamoCheckpoint.
	CheckpointName string `json:"checkpointName,omitempty"`

	// IdentityHash is the hash of the checkpoint's identity.
	IdentityHash string `json:"identityHash,omitempty"`

	// Ready is true when the checkpoint can be restored from.
	Ready bool `json:"ready,omitempty"`

	// RestoredReplicas are the pods that started from the checkpoint, as the agents of their nodes say.
	RestoredReplicas int32 `json:"restoredReplicas,omitempty"`

	// ColdStartedReplicas are the pods that were to start from the checkpoint and started anew.
	ColdStartedReplicas int32 `json:"coldStartedReplicas,omitempty"`

	// Message says why pods of the service start without the checkpoint.
	Message string `json:"message,omitempty"`
}

// DynamoGraphDeployment runs an inference graph: a frontend, its workers and their helpers, deployed
// together and reported on as one.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dgd,categories=dynamo
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=".status.state"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.backendFramework"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].message"
type DynamoGraphDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the desired state of the graph.
	Spec DynamoGraphDeploymentSpec `json:"spec,omitempty"`

	// Status is the observed state of the graph.
	Status DynamoGraphDeploymentStatus `json:"status,omitempty"`
}

// DynamoGraphDeploymentList is a list of DynamoGraphDeployment.
//
// +kubebuilder:object:root=true
type DynamoGraphDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoGraphDeployment `json:"items"`
}
