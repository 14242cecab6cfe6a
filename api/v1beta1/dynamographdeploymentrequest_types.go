package v1beta1

import (
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// BackendType is an inference engine, or auto for one that is chosen.
// +kubebuilder:validation:Enum=auto;sglang;trtllm;vllm
type BackendType string

// SearchStrategy says how thoroughly configurations are tried.
// +kubebuilder:validation:Enum=rapid;thorough
type SearchStrategy string

// OptimizationType says what is optimised.
// +kubebuilder:validation:Enum=latency;throughput
type OptimizationType string

// GPUSKUType is a model of GPU.
// +kubebuilder:validation:Enum=gb200_sxm;gb10;b200_sxm;h200_sxm;h100_sxm;h100_pcie;a100_sxm;a100_pcie;a30;l40s;l40;l4;v100_sxm;v100_pcie;t4;mi200;mi300
type GPUSKUType string

// DynamoGraphDeploymentRequestSpec asks for a graph that fits a model and its service level.
type DynamoGraphDeploymentRequestSpec struct {
	// Model to serve, for example Qwen/Qwen3-0.6B.
	// +kubebuilder:validation:MinLength=1
	Model string `json:"model"`

	// Backend is the inference engine, or auto.
	// +kubebuilder:default=auto
	Backend BackendType `json:"backend,omitempty"`

	// Image is the container image of the profiling Job. Empty: the platform's.
	Image string `json:"image,omitempty"`

	// RuntimeVersionOverride is the version of the runtime in the image, where its tag does not tell.
	// +kubebuilder:validation:Pattern=`^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$`
	RuntimeVersionOverride string `json:"runtimeVersionOverride,omitempty"`

	// ModelCache is a volume that has the model.
	ModelCache *ModelCacheSpec `json:"modelCache,omitempty"`

	// Hardware that there is, where it is not to be found out.
	Hardware *HardwareSpec `json:"hardware,omitempty"`

	// Workload that is expected.
	Workload *WorkloadSpec `json:"workload,omitempty"`

	// SLA is the service level that is wanted.
	SLA *SLASpec `json:"sla,omitempty"`

	// Overrides change what is generated.
	Overrides *OverridesSpec `json:"overrides,omitempty"`

	// Features of the graph.
	Features *FeaturesSpec `json:"features,omitempty"`

	// SearchStrategy is rapid (the default) or thorough.
	// +kubebuilder:default=rapid
	SearchStrategy SearchStrategy `json:"searchStrategy,omitempty"`

	// AutoApply creates the resulting DynamoGraphDeployment. When false, it is only shown in the status.
	// +kubebuilder:default=true
	AutoApply *bool `json:"autoApply,omitempty"`
}

// ModelCacheSpec is a volume that has the model.
type ModelCacheSpec struct {
	// PVCName is the name of the persistent volume claim.
	PVCName string `json:"pvcName,omitempty"`

	// PVCModelPath is the model's folder on the volume.
	PVCModelPath string `json:"pvcModelPath,omitempty"`

	// PVCMountPath is where the volume is mounted.
	// +kubebuilder:default="/opt/model-cache"
	PVCMountPath string `json:"pvcMountPath,omitempty"`
}

// HardwareSpec is the hardware that there is.
type HardwareSpec struct {
	// GPUSKU is the model of the GPUs.
	GPUSKU GPUSKUType `json:"gpuSku,omitempty"`

	// VRAMMB is the memory of each GPU, in MiB.
	VRAMMB *float64 `json:"vramMb,omitempty"`

	// TotalGPUs is the number of GPUs.
	TotalGPUs *int32 `json:"totalGpus,omitempty"`

	// NumGPUsPerNode is the number of GPUs of a node.
	NumGPUsPerNode *int32 `json:"numGpusPerNode,omitempty"`

	// Interconnect between the nodes.
	Interconnect string `json:"interconnect,omitempty"`

	// RDMA says whether the nodes reach each other's memory.
	RDMA *bool `json:"rdma,omitempty"`
}

// WorkloadSpec is the workload that is expected.
type WorkloadSpec struct {
	// ISL is the length of an input, in tokens.
	// +kubebuilder:default=4000
	ISL *int32 `json:"isl,omitempty"`

	// OSL is the length of an output, in tokens.
	// +kubebuilder:default=1000
	OSL *int32 `json:"osl,omitempty"`

	// Concurrency is the number of requests at a time.
	Concurrency *float64 `json:"concurrency,omitempty"`

	// RequestRate is the number of requests a second.
	RequestRate *float64 `json:"requestRate,omitempty"`
}

// SLASpec is a service level.
type SLASpec struct {
	// TTFT is the time to the first token, in milliseconds.
	TTFT *float64 `json:"ttft,omitempty"`

	// ITL is the time between tokens, in milliseconds.
	ITL *float64 `json:"itl,omitempty"`

	// E2ELatency is the time of a whole request, in milliseconds.
	E2ELatency *float64 `json:"e2eLatency,omitempty"`

	// OptimizationType is latency or throughput.
	OptimizationType *OptimizationType `json:"optimizationType,omitempty"`
}

// OverridesSpec change what is generated.
type OverridesSpec struct {
	// ProfilingJob is merged onto the Job that profiles; its container is named profiler.
	ProfilingJob *ProfilingJob `json:"profilingJob,omitempty"`

	// DGD is as much of a DynamoGraphDeployment, in either version, as is to be otherwise: it is merged onto
	// the one that the profiler recommends, items of lists by their names.
	// +kubebuilder:validation:EmbeddedResource
	// +kubebuilder:pruning:PreserveUnknownFields
	DGD *runtime.RawExtension `json:"dgd,omitempty"`
}

// ProfilingJob is what of the Job that profiles is said by its author.
type ProfilingJob struct {
	batchv1.JobSpec `json:",inline"`
}

// MarshalJSON leaves out what is absent, as PodTemplate does.
func (j ProfilingJob) MarshalJSON() ([]byte, error) {
	encoded := struct {
		batchv1.JobSpec
		// It wins over the field of the same name in the embedded struct.
		Template *PodTemplate `json:"template,omitempty"`
	}{JobSpec: j.JobSpec}
	if template := (PodTemplate{j.Template}); !equality.Semantic.DeepEqual(template, PodTemplate{}) {
		encoded.Template = &template
	}
	return json.Marshal(encoded)
}

// FeaturesSpec are features of the graph.
type FeaturesSpec struct {
	// Planner is the configuration of the planner; with it the graph has one.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Planner *runtime.RawExtension `json:"planner,omitempty"`

	// Mocker deploys the graph with mocked engines, which need no GPU.
	Mocker *MockerSpec `json:"mocker,omitempty"`
}

// MockerSpec says whether engines are mocked.
type MockerSpec struct {
	// Enabled mocks the engines.
	Enabled bool `json:"enabled,omitempty"`
}

// DGDRPhase is a step in the life of a request.
// +kubebuilder:validation:Enum="";Pending;Profiling;Ready;Deploying;Deployed;Failed
type DGDRPhase string

// Phases of a request. An empty phase means that the operator has not seen the request yet.
const (
	DGDRPhasePending   DGDRPhase = "Pending"
	DGDRPhaseProfiling DGDRPhase = "Profiling"
	DGDRPhaseReady     DGDRPhase = "Ready"
	DGDRPhaseDeploying DGDRPhase = "Deploying"
	DGDRPhaseDeployed  DGDRPhase = "Deployed"
	DGDRPhaseFailed    DGDRPhase = "Failed"
)

// ProfilingPhase is a step of the profiler.
// +kubebuilder:validation:Enum="";Initializing;SweepingPrefill;SweepingDecode;SelectingConfig;BuildingCurves;GeneratingDGD;Done
type ProfilingPhase string

// ParetoConfig is a configuration that no other beats in all respects.
type ParetoConfig struct {
	// Config is the configuration.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Config runtime.RawExtension `json:"config"`
}

// ProfilingResultsStatus is what the profiler found.
type ProfilingResultsStatus struct {
	// Pareto are the configurations that no other beats in all respects.
	Pareto []ParetoConfig `json:"pareto,omitempty"`

	// SelectedConfig is the DynamoGraphDeployment that the profiler recommends.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	SelectedConfig *runtime.RawExtension `json:"selectedConfig,omitempty"`
}

// DeploymentInfoStatus counts the replicas of the graph that came of the request.
type DeploymentInfoStatus struct {
	// Replicas that are wanted.
	Replicas *int32 `json:"replicas,omitempty"`

	// AvailableReplicas are those that serve.
	AvailableReplicas *int32 `json:"availableReplicas,omitempty"`
}

// DynamoGraphDeploymentRequestStatus is the observed state of a request.
type DynamoGraphDeploymentRequestStatus struct {
	// Phase of the request: Pending, Profiling, Ready, Deploying, Deployed or Failed.
	Phase DGDRPhase `json:"phase,omitempty"`

	// ProfilingPhase is the step of the profiler while the request is Profiling.
	ProfilingPhase ProfilingPhase `json:"profilingPhase,omitempty"`

	// DGDName is the name of the DynamoGraphDeployment that was created from the result.
	DGDName string `json:"dgdName,omitempty"`

	// ProfilingJobName is the name of the Job that profiles.
	ProfilingJobName string `json:"profilingJobName,omitempty"`

	// ObservedGeneration is the generation of the spec that is being worked on.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the request: Succeeded, Validation, Profiling, SpecGenerated and DeploymentReady.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ProfilingResults is what the profiler found.
	ProfilingResults *ProfilingResultsStatus `json:"profilingResults,omitempty"`

	// DeploymentInfo counts the replicas of the DynamoGraphDeployment.
	DeploymentInfo *DeploymentInfoStatus `json:"deploymentInfo,omitempty"`
}

// DynamoGraphDeploymentRequest profiles a model and produces a DynamoGraphDeployment that meets the
// wanted service level.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dgdr,categories=dynamo
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=".spec.model"
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=".spec.backend"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=".status.phase"
// +kubebuilder:printcolumn:name="Profiling",type=string,JSONPath=".status.profilingPhase"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=".status.conditions[?(@.type=='Succeeded')].reason"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.conditions[?(@.type=='Succeeded')].message"
// +kubebuilder:printcolumn:name="DGD",type=string,JSONPath=".status.dgdName"
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
