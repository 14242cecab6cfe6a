package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// BackendFramework is an inference engine.
// +kubebuilder:validation:Enum=sglang;vllm;trtllm
type BackendFramework string

// Inference engines.
const (
	BackendFrameworkSGLang BackendFramework = "sglang"
	BackendFrameworkVLLM   BackendFramework = "vllm"
	BackendFrameworkTRTLLM BackendFramework = "trtllm"
)

// Component types that the operator has defaults for. Any other value, such as "main" or "default",
// is accepted and means a plain container.
const (
	ComponentTypeFrontend = "frontend"
	ComponentTypeWorker   = "worker"
	ComponentTypePrefill  = "prefill"
	ComponentTypeDecode   = "decode"
	ComponentTypePlanner  = "planner"
	ComponentTypeEPP      = "epp"
)

// MainContainerName is the name of the container that runs the component.
const MainContainerName = "main"

// DynamoComponentDeploymentSharedSpec describes one component. It is the value of a service in a
// DynamoGraphDeployment and, inline, the spec of a DynamoComponentDeployment.
//
// +kubebuilder:validation:XValidation:rule="!has(self.componentType) || self.componentType != 'epp' || has(self.eppConfig)",message="a component of type epp needs eppConfig with either config or configMapRef"
// +kubebuilder:validation:XValidation:rule="!has(self.componentType) || self.componentType != 'epp' || !has(self.replicas) || self.replicas == 1",message="a component of type epp runs with exactly 1 replica"
// +kubebuilder:validation:XValidation:rule="!has(self.componentType) || self.componentType != 'epp' || !has(self.multinode)",message="a component of type epp cannot be multinode"
type DynamoComponentDeploymentSharedSpec struct {
	// Annotations for the objects generated for this component.
	Annotations map[string]string `json:"annotations,omitempty"`

	// Labels for the objects generated for this component.
	Labels map[string]string `json:"labels,omitempty"`

	// ServiceName is the component's key in spec.services of its graph. The operator sets it.
	ServiceName string `json:"serviceName,omitempty"`

	// ComponentType says what the component is: frontend, worker, prefill, decode, planner or epp.
	// It decides the default command, ports, probes and environment. With any other value the
	// component is a plain container.
	ComponentType string `json:"componentType,omitempty"`

	// SubComponentType refines the type, for example prefill or decode of a worker. It becomes a
	// label, by which the planner finds its workers.
	// +nullable
	SubComponentType string `json:"subComponentType,omitempty"`

	// DynamoNamespace is deprecated and ignored: the logical namespace is computed from the graph.
	DynamoNamespace string `json:"dynamoNamespace,omitempty"`

	// GlobalDynamoNamespace puts the component into the logical namespace "dynamo", which all graphs share.
	GlobalDynamoNamespace bool `json:"globalDynamoNamespace,omitempty"`

	// Resources of the main container.
	Resources *Resources `json:"resources,omitempty"`

	// Autoscaling is deprecated and ignored: use scalingAdapter with an autoscaler of your choice.
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`

	// Envs are environment variables of the main container. They win over those of the graph.
	// +kubebuilder:validation:MaxItems=1000
	Envs []corev1.EnvVar `json:"envs,omitempty"`

	// EnvFromSecret is the name of a Secret whose entries become environment variables of the main container.
	EnvFromSecret string `json:"envFromSecret,omitempty"`

	// VolumeMounts are persistent volume claims to mount into the main container.
	// +kubebuilder:validation:MaxItems=100
	VolumeMounts []VolumeMount `json:"volumeMounts,omitempty"`

	// Ingress makes the component reachable from outside the cluster.
	Ingress *IngressSpec `json:"ingress,omitempty"`

	// ModelRef names the base model that the component serves, so that a DynamoModel can find it.
	ModelRef *ModelReference `json:"modelRef,omitempty"`

	// SharedMemory sizes the memory file system at /dev/shm. Default: 8Gi.
	SharedMemory *SharedMemorySpec `json:"sharedMemory,omitempty"`

	// ExtraPodMetadata are labels and annotations for the component's pods.
	ExtraPodMetadata *ExtraPodMetadata `json:"extraPodMetadata,omitempty"`

	// ExtraPodSpec is merged onto the generated pod: any field of a pod's spec, and mainContainer for
	// any field of the main container.
	ExtraPodSpec *ExtraPodSpec `json:"extraPodSpec,omitempty"`

	// LivenessProbe replaces the main container's default liveness probe.
	LivenessProbe *corev1.Probe `json:"livenessProbe,omitempty"`

	// ReadinessProbe replaces the main container's default readiness probe.
	ReadinessProbe *corev1.Probe `json:"readinessProbe,omitempty"`

	// Replicas of the component; of a multinode component, the number of groups of nodes. Default: 1.
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// Multinode spreads every replica over several nodes.
	Multinode *MultinodeSpec `json:"multinode,omitempty"`

	// ScalingAdapter lets an autoscaler scale the component.
	ScalingAdapter *ScalingAdapter `json:"scalingAdapter,omitempty"`

	// EPPConfig configures the endpoint picker. It is needed by components of type epp and ignored by others.
	EPPConfig *EPPConfig `json:"eppConfig,omitempty"`

	// Checkpoint starts the component from a checkpoint of a running worker.
	Checkpoint *ServiceCheckpointConfig `json:"checkpoint,omitempty"`
}

// NodeCount returns the number of nodes that each replica runs on, which is 1 unless multinode is set.
func (s *DynamoComponentDeploymentSharedSpec) NodeCount() int32 {
	if s == nil || s.Multinode == nil || s.Multinode.NodeCount < 2 {
		return 1
	}
	return s.Multinode.NodeCount
}

// DesiredReplicas returns the wanted replicas, which is 1 unless replicas is set.
func (s *DynamoComponentDeploymentSharedSpec) DesiredReplicas() int32 {
	if s == nil || s.Replicas == nil {
		return 1
	}
	return *s.Replicas
}

// Resources of the main container.
type Resources struct {
	// Requests are what the scheduler sets aside.
	Requests *ResourceItem `json:"requests,omitempty"`

	// Limits are what the container may use at most.
	Limits *ResourceItem `json:"limits,omitempty"`

	// Claims are dynamic resources that the pod declares in extraPodSpec.resourceClaims.
	Claims []corev1.ResourceClaim `json:"claims,omitempty"`
}

// ResourceItem is a set of resource quantities.
type ResourceItem struct {
	// CPU in cores, for example "4" or "500m".
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self)",message="must be a quantity such as \"4\" or \"500m\""
	CPU string `json:"cpu,omitempty"`

	// Memory in bytes, for example "16Gi".
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self)",message="must be a quantity such as \"16Gi\""
	Memory string `json:"memory,omitempty"`

	// GPU is the number of GPUs on each node, for example "8".
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self)",message="must be a quantity such as \"8\""
	GPU string `json:"gpu,omitempty"`

	// GPUType is the name of the GPU resource. Default: nvidia.com/gpu.
	GPUType string `json:"gpuType,omitempty"`

	// Custom are further resources by name, for example rdma/ib: "8".
	Custom map[string]string `json:"custom,omitempty"`
}

// DefaultGPUType is the GPU resource that ResourceItem.GPU counts unless GPUType says otherwise.
const DefaultGPUType = "nvidia.com/gpu"

// Autoscaling is deprecated and ignored.
type Autoscaling struct {
	// Enabled is ignored.
	Enabled bool `json:"enabled,omitempty"`

	// MinReplicas is ignored.
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// MaxReplicas is ignored.
	MaxReplicas int32 `json:"maxReplicas,omitempty"`

	// Behavior is ignored.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`

	// Metrics are ignored.
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`
}

// VolumeMount mounts a persistent volume claim into the main container.
//
// +kubebuilder:validation:XValidation:rule="(has(self.useAsCompilationCache) && self.useAsCompilationCache) || (has(self.mountPoint) && size(self.mountPoint) > 0)",message="mountPoint is required unless useAsCompilationCache is true"
type VolumeMount struct {
	// Name of the claim.
	Name string `json:"name"`

	// MountPoint is the path in the container. It may be left out for a compilation cache of vLLM.
	MountPoint string `json:"mountPoint,omitempty"`

	// UseAsCompilationCache keeps the engine's compiled kernels on this volume.
	// +kubebuilder:default=false
	UseAsCompilationCache bool `json:"useAsCompilationCache,omitempty"`
}

// IngressSpec makes a component reachable from outside the cluster under the host name
// <hostPrefix><host>.<hostSuffix>.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.host) && size(self.host) > 0)",message="host is required when ingress is enabled"
type IngressSpec struct {
	// Enabled creates the Ingress, VirtualService or HTTPRoute.
	Enabled bool `json:"enabled,omitempty"`

	// Host is the host name or the first part of it.
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// UseVirtualService creates an Istio VirtualService instead of an Ingress.
	UseVirtualService bool `json:"useVirtualService,omitempty"`

	// VirtualServiceGateway is the Istio gateway, as namespace/name.
	VirtualServiceGateway *string `json:"virtualServiceGateway,omitempty"`

	// HostPrefix is put in front of the host.
	// +kubebuilder:validation:MaxLength=253
	HostPrefix *string `json:"hostPrefix,omitempty"`

	// HostSuffix is the domain that is appended to the host.
	// +kubebuilder:validation:MaxLength=253
	HostSuffix *string `json:"hostSuffix,omitempty"`

	// Annotations for the Ingress, VirtualService or HTTPRoute.
	Annotations map[string]string `json:"annotations,omitempty"`

	// Labels for the Ingress, VirtualService or HTTPRoute.
	Labels map[string]string `json:"labels,omitempty"`

	// TLS makes the Ingress serve HTTPS.
	TLS *IngressTLSSpec `json:"tls,omitempty"`

	// IngressControllerClassName is the class of the Ingress.
	IngressControllerClassName *string `json:"ingressControllerClassName,omitempty"`
}

// IngressTLSSpec makes an Ingress serve HTTPS.
type IngressTLSSpec struct {
	// SecretName is the name of the Secret with the certificate and its key.
	SecretName string `json:"secretName,omitempty"`
}

// ModelReference names a base model.
type ModelReference struct {
	// Name of the model, for example Qwen/Qwen3-0.6B.
	Name string `json:"name"`

	// Revision of the model.
	Revision string `json:"revision,omitempty"`
}

// SharedMemorySpec sizes the memory file system at /dev/shm.
//
// +kubebuilder:validation:XValidation:rule="(has(self.disabled) && self.disabled) || has(self.size)",message="size is required unless disabled is true"
type SharedMemorySpec struct {
	// Disabled leaves the container with the runtime's small /dev/shm.
	Disabled bool `json:"disabled,omitempty"`

	// Size of the file system, for example 16Gi. It counts towards the container's memory.
	Size resource.Quantity `json:"size,omitzero"`
}

// ExtraPodMetadata are labels and annotations for pods.
type ExtraPodMetadata struct {
	// Annotations for the component's pods.
	Annotations map[string]string `json:"annotations,omitempty"`

	// Labels for the component's pods.
	Labels map[string]string `json:"labels,omitempty"`
}

// MultinodeSpec spreads every replica over several nodes.
type MultinodeSpec struct {
	// NodeCount is the number of nodes of each replica. The GPUs of resources are per node.
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=2
	NodeCount int32 `json:"nodeCount"`
}

// ScalingAdapter lets an autoscaler scale a component.
type ScalingAdapter struct {
	// Enabled creates a DynamoGraphDeploymentScalingAdapter, which from then on owns the replicas.
	// +kubebuilder:default=false
	Enabled bool `json:"enabled,omitempty"`
}

// EPPConfig configures the endpoint picker, either here or in a ConfigMap.
//
// +kubebuilder:validation:XValidation:rule="has(self.config) != has(self.configMapRef)",message="exactly one of config and configMapRef must be set"
type EPPConfig struct {
	// ConfigMapRef names the ConfigMap entry that holds the configuration file.
	ConfigMapRef *corev1.ConfigMapKeySelector `json:"configMapRef,omitempty"`

	// Config is the EndpointPickerConfig of the Gateway API inference extension. Fields beyond
	// those listed here are passed on as they are.
	Config *EndpointPickerConfig `json:"config,omitempty"`
}

// CheckpointMode says who creates the DynamoCheckpoint.
// +kubebuilder:validation:Enum=Auto;Manual
type CheckpointMode string

// Modes of a service's checkpoint.
const (
	CheckpointModeAuto   CheckpointMode = "Auto"
	CheckpointModeManual CheckpointMode = "Manual"
)

// ServiceCheckpointConfig starts a component from a checkpoint.
//
// +kubebuilder:validation:XValidation:rule="!has(self.enabled) || !self.enabled || (has(self.checkpointRef) && size(self.checkpointRef) > 0) || (has(self.identity) && size(self.identity.model) > 0)",message="an enabled checkpoint needs checkpointRef, or identity with model and backendFramework"
type ServiceCheckpointConfig struct {
	// Enabled starts the component from the checkpoint once that is ready.
	// +kubebuilder:default=false
	Enabled bool `json:"enabled,omitempty"`

	// Mode is Auto (the operator takes the checkpoint when there is none, the default) or Manual.
	// +kubebuilder:default=Auto
	Mode CheckpointMode `json:"mode,omitempty"`

	// CheckpointRef is the name of a DynamoCheckpoint in the same namespace.
	CheckpointRef string `json:"checkpointRef,omitempty"`

	// Identity says which checkpoint fits, when checkpointRef is not set.
	Identity *DynamoCheckpointIdentity `json:"identity,omitempty"`
}

// ComponentKind is the kind of workload that runs a component.
// +kubebuilder:validation:Enum=PodClique;PodCliqueScalingGroup;Deployment;LeaderWorkerSet
type ComponentKind string

// Kinds of workloads.
const (
	ComponentKindPodClique             ComponentKind = "PodClique"
	ComponentKindPodCliqueScalingGroup ComponentKind = "PodCliqueScalingGroup"
	ComponentKindDeployment            ComponentKind = "Deployment"
	ComponentKindLeaderWorkerSet       ComponentKind = "LeaderWorkerSet"
)

// ServiceReplicaStatus says which workload runs a service and how many replicas it has.
type ServiceReplicaStatus struct {
	// ComponentKind is the kind of the workload.
	ComponentKind ComponentKind `json:"componentKind"`

	// ComponentName is the name of the workload.
	ComponentName string `json:"componentName"`

	// Replicas that exist.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// UpdatedReplicas are the replicas of the current revision.
	// +kubebuilder:validation:Minimum=0
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// ReadyReplicas are the replicas that are ready. Absent for a PodCliqueScalingGroup.
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas *int32 `json:"readyReplicas,omitempty"`

	// AvailableReplicas are the replicas that have been ready for long enough. Present for a
	// Deployment and a PodCliqueScalingGroup.
	// +kubebuilder:validation:Minimum=0
	AvailableReplicas *int32 `json:"availableReplicas,omitempty"`
}
