package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// DynamoGraphDeploymentSpec is the desired state of an inference graph.
//
// +kubebuilder:validation:XValidation:rule="!has(self.restart) || !has(self.restart.strategy) || !has(self.restart.strategy.order) || size(self.restart.strategy.order) == 0 || (has(self.components) && size(self.restart.strategy.order) == size(self.components) && self.components.all(c, c.name in self.restart.strategy.order))",message="restart.strategy.order must name every component of spec.components exactly once"
// +kubebuilder:validation:XValidation:rule="!has(self.components) || self.components.filter(c, has(c.type) && c.type == 'epp').size() <= 1",message="a graph has at most one component of type epp"
type DynamoGraphDeploymentSpec struct {
	// BackendFramework is the inference engine of the graph's workers. It is needed only where the
	// engine cannot be seen in a worker's command. It cannot be changed later.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="backendFramework is immutable: delete the object and create it anew to change the engine"
	BackendFramework v1alpha1.BackendFramework `json:"backendFramework,omitempty"`

	// Annotations for the objects generated for the graph's components.
	// +kubebuilder:validation:MaxProperties=100
	Annotations map[string]string `json:"annotations,omitempty"`

	// Labels for the objects generated for the graph's components.
	// +kubebuilder:validation:MaxProperties=100
	Labels map[string]string `json:"labels,omitempty"`

	// PriorityClassName is the priority class of all pods whose template names none.
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// Env are environment variables for the main container of every component. A variable of the same
	// name in the component's container wins. They are copied into every component.
	// +kubebuilder:validation:MaxItems=1000
	Env []corev1.EnvVar `json:"env,omitempty"`

	// Components are the parts of the graph: frontend, workers, planner and so on, in the order in
	// which they are shown.
	// +kubebuilder:validation:MaxItems=25
	// +listType=map
	// +listMapKey=name
	Components []DynamoComponentDeploymentSharedSpec `json:"components,omitempty"`

	// Restart asks for a restart of the graph's components.
	Restart *Restart `json:"restart,omitempty"`

	// TopologyConstraint asks for nodes that are close to one another.
	TopologyConstraint *SpecTopologyConstraint `json:"topologyConstraint,omitempty"`

	// ProviderOverride changes what the graph becomes in the workload that runs it.
	ProviderOverride *ProviderOverride `json:"providerOverride,omitempty"`

	// Experimental settings may change with any release.
	Experimental *DynamoGraphDeploymentExperimentalSpec `json:"experimental,omitempty"`
}

// Restart asks for a restart of the graph's components.
type Restart struct {
	// ID of the restart. Every new value restarts the graph once; a time stamp serves well.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	ID string `json:"id"`

	// Strategy says in which way the components restart. Default: one after the other, by name.
	Strategy *RestartStrategy `json:"strategy,omitempty"`
}

// RestartStrategy says in which way and order the components restart.
//
// +kubebuilder:validation:XValidation:rule="!has(self.order) || size(self.order) == 0 || !has(self.type) || self.type == 'Sequential'",message="order has a meaning only with type Sequential"
type RestartStrategy struct {
	// Type is Sequential (one component after the other, the default) or Parallel (all at once).
	// +kubebuilder:default=Sequential
	Type v1alpha1.RestartStrategyType `json:"type,omitempty"`

	// Order of a sequential restart. It names every component exactly once. Default: by name.
	// +kubebuilder:validation:MaxItems=25
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Order []string `json:"order,omitempty"`
}

// SpecTopologyConstraint asks for nodes that are close to one another.
type SpecTopologyConstraint struct {
	// ClusterTopologyName is the name of the cluster's topology.
	// +kubebuilder:validation:MinLength=1
	ClusterTopologyName string `json:"clusterTopologyName,omitempty"`

	// PackDomain is the level of the topology within which all pods are to be.
	PackDomain TopologyDomain `json:"packDomain,omitempty"`
}

// DynamoGraphDeploymentExperimentalSpec has the settings of a graph that may change with any release.
type DynamoGraphDeploymentExperimentalSpec struct {
	// KVTransferPolicy says between which workers a KV cache may travel.
	KVTransferPolicy *KVTransferPolicy `json:"kvTransferPolicy,omitempty"`
}

// KVTransferEnforcement says how strictly a policy holds.
// +kubebuilder:validation:Enum=required;preferred
type KVTransferEnforcement string

// KVTransferPolicy says between which workers a KV cache may travel.
//
// +kubebuilder:validation:XValidation:rule="has(self.labelKey) != has(self.clusterTopologyName)",message="exactly one of labelKey and clusterTopologyName must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.preferredWeight) || (has(self.enforcement) && self.enforcement == 'preferred')",message="preferredWeight has a meaning only with enforcement preferred"
type KVTransferPolicy struct {
	// ClusterTopologyName is the name of the cluster's topology.
	// +kubebuilder:validation:MinLength=1
	ClusterTopologyName string `json:"clusterTopologyName,omitempty"`

	// LabelKey is the label of nodes whose value must be the same.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^(([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$`
	LabelKey string `json:"labelKey,omitempty"`

	// Domain is the level of the topology.
	Domain TopologyDomain `json:"domain,omitempty"`

	// Enforcement is required (the default) or preferred.
	// +kubebuilder:default=required
	Enforcement KVTransferEnforcement `json:"enforcement,omitempty"`

	// PreferredWeight is how much a preferred policy counts, from 0 to 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	PreferredWeight *float32 `json:"preferredWeight,omitempty"`
}

// RollingUpdatePhase is a step of a replacement of workers.
// +kubebuilder:validation:Enum=Pending;InProgress;Completed;Failed;""
type RollingUpdatePhase string

// RollingUpdateStatus is the progress of a replacement of workers.
type RollingUpdateStatus struct {
	// Phase of the replacement: Pending, InProgress, Completed or Failed.
	Phase RollingUpdatePhase `json:"phase,omitempty"`

	// StartTime is when it began.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// EndTime is when it ended.
	EndTime *metav1.Time `json:"endTime,omitempty"`

	// UpdatedComponents are those that have been replaced.
	UpdatedComponents []string `json:"updatedComponents,omitempty"`
}

// PlacementScoreState says what a score stands on.
// +kubebuilder:validation:Enum=Reported;Partial;Unsupported;Unknown
type PlacementScoreState string

// PlacementStatus says how close to one another the pods are.
type PlacementStatus struct {
	// Score is from 0 to 1, and 1 is best.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	Score *float64 `json:"score,omitempty"`

	// State says what the score stands on: Reported, Partial, Unsupported or Unknown.
	State PlacementScoreState `json:"state,omitempty"`
}

// ComponentCheckpointStatus says which checkpoint a component uses.
type ComponentCheckpointStatus struct {
	// CheckpointName is the name of the DynamoCheckpoint.
	CheckpointName string `json:"checkpointName,omitempty"`

	// CheckpointID is the identifier of the stored checkpoint.
	CheckpointID string `json:"checkpointID,omitempty"`

	// IdentityHash is the hash of the checkpoint's identity.
	IdentityHash string `json:"identityHash,omitempty"`

	// Ready is true when the checkpoint can be restored from.
	Ready bool `json:"ready,omitempty"`

	// RestoredReplicas are the pods that started from the checkpoint, as the agents of their nodes say.
	RestoredReplicas int32 `json:"restoredReplicas,omitempty"`

	// ColdStartedReplicas are the pods that were to start from the checkpoint and started anew.
	ColdStartedReplicas int32 `json:"coldStartedReplicas,omitempty"`

	// Message says why pods of the component start without the checkpoint.
	Message string `json:"message,omitempty"`
}

// RestartStatus is the progress of a restart.
type RestartStatus struct {
	// ObservedID is the restart id last acted upon.
	ObservedID string `json:"observedID,omitempty"`

	// Phase of the restart: Pending, Restarting, Completed, Failed or Superseded.
	Phase v1alpha1.RestartPhase `json:"phase,omitempty"`

	// InProgress names the components being restarted now.
	InProgress []string `json:"inProgress,omitempty"`
}

// DynamoGraphDeploymentStatus is the observed state of an inference graph.
type DynamoGraphDeploymentStatus struct {
	// ObservedGeneration is the generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// State summarises the graph: initializing, pending, successful or failed. The Ready condition says why.
	// +kubebuilder:default=initializing
	State v1alpha1.GraphState `json:"state,omitempty"`

	// Conditions of the graph. Type Ready says whether all components run as the spec wants.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Components says for each component which workload runs it and how many replicas it has.
	Components map[string]ComponentReplicaStatus `json:"components,omitempty"`

	// Restart is the progress of the restart that spec.restart asked for.
	Restart *RestartStatus `json:"restart,omitempty"`

	// Checkpoints says for each component with a checkpoint which one it uses.
	Checkpoints map[string]ComponentCheckpointStatus `json:"checkpoints,omitempty"`

	// RollingUpdate is the progress of a replacement of workers.
	RollingUpdate *RollingUpdateStatus `json:"rollingUpdate,omitempty"`

	// Placement says how close to one another the pods are.
	Placement *PlacementStatus `json:"placement,omitempty"`
}

// DynamoGraphDeployment runs an inference graph: a frontend, its workers and their helpers, deployed
// together and reported on as one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dgd,categories=dynamo
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=".status.conditions[?(@.type=='Ready')].status"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.backendFramework"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].message"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !has(self.spec) || !has(self.spec.restart)",message="spec.restart restarts what runs, so it cannot be there on create: set it later",optionalOldSelf=true
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
