package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ComponentType says what a component is.
// +kubebuilder:validation:Enum=frontend;worker;prefill;decode;planner;epp
type ComponentType string

// Component types. Without one, a component is a plain container.
const (
	ComponentTypeFrontend ComponentType = "frontend"
	ComponentTypeWorker   ComponentType = "worker"
	ComponentTypePrefill  ComponentType = "prefill"
	ComponentTypeDecode   ComponentType = "decode"
	ComponentTypePlanner  ComponentType = "planner"
	ComponentTypeEPP      ComponentType = "epp"
)

// DynamoComponentDeploymentSharedSpec describes one component. It is an item of spec.components in a
// DynamoGraphDeployment and, inline, the spec of a DynamoComponentDeployment.
//
// +kubebuilder:validation:XValidation:rule="!has(self.eppConfig) || (has(self.type) && self.type == 'epp')",message="eppConfig belongs to a component of type epp"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'epp' || has(self.eppConfig)",message="a component of type epp needs eppConfig with either config or configMapRef"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'epp' || !has(self.replicas) || self.replicas == 1",message="a component of type epp runs with exactly 1 replica"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'epp' || !has(self.multinode)",message="a component of type epp cannot be multinode"
// +kubebuilder:validation:XValidation:rule="!has(self.minAvailable) || (has(self.replicas) ? self.replicas == 0 || self.minAvailable <= self.replicas : self.minAvailable <= 1)",message="minAvailable must not be more than replicas"
// +kubebuilder:validation:XValidation:rule="has(self.minAvailable) == has(oldSelf.minAvailable) && (!has(self.minAvailable) || self.minAvailable == oldSelf.minAvailable)",message="minAvailable is immutable: delete the component and create it anew to change it"
type DynamoComponentDeploymentSharedSpec struct {
	// Name of the component, unique in its graph without regard to case. Objects are named after it in
	// lower case.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$`
	Name string `json:"name"`

	// Type says what the component is: frontend, worker, prefill, decode, planner or epp. It decides
	// the default command, ports, probes and environment. Without it the component is a plain container.
	Type ComponentType `json:"type,omitempty"`

	// RuntimeVersionOverride is the version of the runtime in the image, where its tag does not tell.
	// +kubebuilder:validation:Pattern=`^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$`
	RuntimeVersionOverride string `json:"runtimeVersionOverride,omitempty"`

	// GlobalDynamoNamespace puts the component into the logical namespace "dynamo", which all graphs share.
	GlobalDynamoNamespace bool `json:"globalDynamoNamespace,omitempty"`

	// PodTemplate is the component's pod. The container named main runs the component.
	PodTemplate *PodTemplate `json:"podTemplate,omitempty"`

	// Replicas of the component; of a multinode component, the number of groups of nodes. Default: 1.
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// MinAvailable is how many replicas are scheduled as one gang. It cannot be changed later. Default: 1.
	// +kubebuilder:validation:Minimum=1
	MinAvailable *int32 `json:"minAvailable,omitempty"`

	// Multinode spreads every replica over several nodes.
	Multinode *MultinodeSpec `json:"multinode,omitempty"`

	// SharedMemorySize sizes the memory file system at /dev/shm, for example 16Gi. It counts towards
	// the container's memory. 0 leaves the container with the runtime's small one. Default: 8Gi.
	SharedMemorySize *resource.Quantity `json:"sharedMemorySize,omitempty"`

	// ModelRef names the base model that the component serves, so that a DynamoModel can find it.
	ModelRef *ModelReference `json:"modelRef,omitempty"`

	// ScalingAdapter lets an autoscaler scale the component: its presence creates a
	// DynamoGraphDeploymentScalingAdapter, which from then on owns the replicas.
	ScalingAdapter *ScalingAdapter `json:"scalingAdapter,omitempty"`

	// EPPConfig configures the endpoint picker. Components of type epp need it, and no other has it.
	EPPConfig *EPPConfig `json:"eppConfig,omitempty"`

	// FrontendSidecar names the container of podTemplate that is a frontend of this component's own.
	// It gets a frontend's command, ports, probes and environment where it has none.
	// +kubebuilder:validation:MaxLength=63
	FrontendSidecar *string `json:"frontendSidecar,omitempty"`

	// CompilationCache keeps the engine's compiled kernels on a persistent volume claim.
	CompilationCache *CompilationCacheConfig `json:"compilationCache,omitempty"`

	// TopologyConstraint asks for nodes that are close to one another.
	TopologyConstraint *TopologyConstraint `json:"topologyConstraint,omitempty"`

	// ProviderOverride changes what the component becomes in the workload that runs it.
	ProviderOverride *ProviderOverride `json:"providerOverride,omitempty"`

	// Experimental settings may change with any release.
	Experimental *ExperimentalSpec `json:"experimental,omitempty"`
}

// CompilationCacheConfig keeps compiled kernels on a persistent volume claim.
type CompilationCacheConfig struct {
	// PVCName is the name of the claim.
	// +kubebuilder:validation:MinLength=1
	PVCName string `json:"pvcName"`

	// MountPath in the container. It may be left out for vLLM.
	MountPath string `json:"mountPath,omitempty"`
}

// ProviderOverride changes an object of the workload that runs a graph.
type ProviderOverride struct {
	// APIVersion of the object that is changed, for example grove.io/v1alpha1.
	// +kubebuilder:validation:MinLength=1
	APIVersion string `json:"apiVersion"`

	// Target is the part of the object that is changed.
	Target string `json:"target,omitempty"`

	// Value is merged onto it.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Value apiextensionsv1.JSON `json:"value"`
}

// MultinodeSpec spreads every replica over several nodes.
type MultinodeSpec struct {
	// NodeCount is the number of nodes of each replica. The GPUs of resources are per node.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=2
	NodeCount int32 `json:"nodeCount,omitempty"`

	// Leader changes the pod that leads a replica.
	Leader *MultinodeRoleSpec `json:"leader,omitempty"`

	// Worker changes the other pods of a replica.
	Worker *MultinodeRoleSpec `json:"worker,omitempty"`
}

// MultinodeRoleSpec changes the pods of one role.
type MultinodeRoleSpec struct {
	// ProviderOverride changes what the role becomes in the workload that runs it.
	ProviderOverride *ProviderOverride `json:"providerOverride,omitempty"`
}

// ModelReference names a base model.
type ModelReference struct {
	// Name of the model, for example Qwen/Qwen3-0.6B.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// Revision of the model.
	Revision string `json:"revision,omitempty"`
}

// ScalingAdapter lets an autoscaler scale a component. It has no fields: its presence says so.
type ScalingAdapter struct{}

// EPPConfig configures the endpoint picker, either here or in a ConfigMap.
//
// +kubebuilder:validation:XValidation:rule="has(self.config) != has(self.configMapRef)",message="exactly one of config and configMapRef must be set"
type EPPConfig struct {
	// ConfigMapRef names the ConfigMap entry that holds the configuration file.
	ConfigMapRef *corev1.ConfigMapKeySelector `json:"configMapRef,omitempty"`

	// Config is the EndpointPickerConfig of the Gateway API inference extension. Fields beyond
	// those listed here are passed on as they are.
	Config *v1alpha1.EndpointPickerConfig `json:"config,omitempty"`
}

// TopologyDomain is a level of the cluster's topology, for example rack.
// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
type TopologyDomain string

// TopologyConstraint asks for nodes that are close to one another.
type TopologyConstraint struct {
	// PackDomain is the level of the topology within which all pods are to be.
	PackDomain TopologyDomain `json:"packDomain,omitempty"`
}
