package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DynamoGraphDeploymentRequestSpec asks for a graph that fits a model and its service level.
type DynamoGraphDeploymentRequestSpec struct {
	// Model to serve, for example Qwen/Qwen3-0.6B. It is written to deployment.model of the
	// profiler's configuration.
	Model string `json:"model"`

	// Backend is the inference engine. It is written to engine.backend of the profiler's configuration.
	Backend BackendFramework `json:"backend"`

	// UseMocker deploys the graph with mocked engines, which needs no GPU.
	// +kubebuilder:default=false
	UseMocker bool `json:"useMocker,omitempty"`

	// EnableGPUDiscovery lets the profiler read the GPUs from the cluster's nodes. It needs an
	// operator with cluster-wide scope.
	// +kubebuilder:default=false
	EnableGPUDiscovery bool `json:"enableGpuDiscovery,omitempty"`

	// ProfilingConfig says how to profile.
	ProfilingConfig ProfilingConfig `json:"profilingConfig"`

	// AutoApply creates the resulting DynamoGraphDeployment. When false, it is only shown in the status.
	// +kubebuilder:default=false
	AutoApply bool `json:"autoApply,omitempty"`

	// DeploymentOverrides change the resulting DynamoGraphDeployment.
	DeploymentOverrides *DeploymentOverrides `json:"deploymentOverrides,omitempty"`
}

// ProfilingConfig says how to profile.
type ProfilingConfig struct {
	// Config of the profiler, as free-form YAML; it is passed on as it is.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Config *runtime.RawExtension `json:"config,omitempty"`

	// ConfigMapRef names a ConfigMap entry with the DynamoGraphDeployment to start from.
	ConfigMapRef *ConfigMapKeySelector `json:"configMapRef,omitempty"`

	// ProfilerImage is the container image of the profiling Job. Empty: that of the workers, or else the platform's.
	ProfilerImage string `json:"profilerImage"`

	// OutputPVC is the name of a persistent volume claim for the profiler's files. Default: they
	// live as long as the Job's pod.
	OutputPVC string `json:"outputPVC,omitempty"`

	// Resources of the profiler's container.
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Tolerations of the profiling Job's pod.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// NodeSelector is what the nodes that may run the profiling Job's pod have as labels.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
}

// ConfigMapKeySelector names an entry of a ConfigMap in the same namespace.
type ConfigMapKeySelector struct {
	// Name of the ConfigMap.
	Name string `json:"name"`

	// Key of the entry.
	// +kubebuilder:default=disagg.yaml
	Key string `json:"key,omitempty"`
}

// DeploymentOverrides change the resulting DynamoGraphDeployment.
type DeploymentOverrides struct {
	// Name of the DynamoGraphDeployment. Default: the name that the profiler gave it.
	Name string `json:"name,omitempty"`

	// Namespace of the DynamoGraphDeployment. Default: the request's namespace.
	Namespace string `json:"namespace,omitempty"`

	// Labels to add to the DynamoGraphDeployment.
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations to add to the DynamoGraphDeployment.
	Annotations map[string]string `json:"annotations,omitempty"`

	// WorkersImage is the container image of the graph's workers.
	WorkersImage string `json:"workersImage,omitempty"`

	// DGD is as much of a DynamoGraphDeployment, in either version, as is to be otherwise: it is merged onto
	// the one that the profiler recommends, items of lists by their names.
	// +kubebuilder:validation:EmbeddedResource
	// +kubebuilder:pruning:PreserveUnknownFields
	DGD *runtime.RawExtension `json:"dgd,omitempty"`
}

// RequestState is a step in the life of a request.
// +kubebuilder:validation:Enum="";Pending;Profiling;Deploying;Ready;DeploymentDeleted;Failed
type RequestState string

// States of a request. An empty state means that the operator has not seen the request yet.
const (
	RequestStatePending           RequestState = "Pending"
	RequestStateProfiling         RequestState = "Profiling"
	RequestStateDeploying         RequestState = "Deploying"
	RequestStateReady             RequestState = "Ready"
	RequestStateDeploymentDeleted RequestState = "DeploymentDeleted"
	RequestStateFailed            RequestState = "Failed"
)

// Condition types of a request.
const (
	ConditionValidation      = "Validation"
	ConditionProfiling       = "Profiling"
	ConditionSpecGenerated   = "SpecGenerated"
	ConditionDeploymentReady = "DeploymentReady"
)

// DynamoGraphDeploymentRequestStatus is the observed state of a request.
type DynamoGraphDeploymentRequestStatus struct {
	// State of the request: Pending, Profiling, Deploying, Ready, DeploymentDeleted or Failed.
	State RequestState `json:"state,omitempty"`

	// Backend is a copy of spec.backend.
	Backend string `json:"backend,omitempty"`

	// ObservedGeneration is the generation of the spec that is being worked on.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the request: Validation, Profiling, SpecGenerated and DeploymentReady.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ProfilingResults says where the profiler's output is, as configmap/<name>.
	ProfilingResults string `json:"profilingResults,omitempty"`

	// GeneratedDeployment is the DynamoGraphDeployment that the profiler recommends.
	// +kubebuilder:validation:EmbeddedResource
	// +kubebuilder:pruning:PreserveUnknownFields
	GeneratedDeployment *runtime.RawExtension `json:"generatedDeployment,omitempty"`

	// Deployment is the DynamoGraphDeployment that was created from the result.
	Deployment *RequestDeploymentStatus `json:"deployment,omitempty"`
}

// RequestDeploymentStatus says which DynamoGraphDeployment was created and how it fares.
type RequestDeploymentStatus struct {
	// Name of the DynamoGraphDeployment.
	Name string `json:"name,omitempty"`

	// Namespace of the DynamoGraphDeployment.
	Namespace string `json:"namespace,omitempty"`

	// State of the DynamoGraphDeployment, a copy of its status.state.
	State string `json:"state,omitempty"`

	// Created is true once the DynamoGraphDeployment has been created.
	Created bool `json:"created,omitempty"`
}

// DynamoGraphDeploymentRequest profiles a model and produces a DynamoGraphDeployment that meets the
// wanted service level.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dgdr,categories=dynamo
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=".spec.model"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.backend"
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=".status.state"
// +kubebuilder:printcolumn:name="DGD-State",type=string,JSONPath=".status.deployment.state"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type DynamoGraphDeploymentRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is asked for.
	Spec DynamoGraphDeploymentRequestSpec `json:"spec,omitempty"`

	// Status is the observed state of the request.
	Status DynamoGraphDeploymentRequestStatus `json:"status,omitempty"`
}

// DynamoGraphDeploymentRequestList is a list of DynamoGraphDeploymentRequest.
//
// +kubebuilder:object:root=true
type DynamoGraphDeploymentRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoGraphDeploymentRequest `json:"items"`
}
