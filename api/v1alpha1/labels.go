package v1alpha1

// Finalizer is held by DynamoGraphDeployment, DynamoComponentDeployment,
// DynamoGraphDeploymentRequest and DynamoModel while the operator has work to undo.
const Finalizer = "nvidia.com/finalizer"

// NamespaceScopeLease is the Lease by which a namespace-restricted operator claims its namespace.
const NamespaceScopeLease = "dynamo-operator-namespace-scope"

// Labels on the pods and other objects of a graph.
const (
	// LabelSelector is the selector of a component's Deployment; its value is the Deployment's name.
	LabelSelector = "nvidia.com/selector"
	// LabelGraphDeploymentName is the name of the DynamoGraphDeployment.
	LabelGraphDeploymentName = "nvidia.com/dynamo-graph-deployment-name"
	// LabelComponent is the key of the service in spec.services, in its original case.
	LabelComponent = "nvidia.com/dynamo-component"
	// LabelNamespace is the logical Dynamo namespace.
	LabelNamespace = "nvidia.com/dynamo-namespace"
	// LabelComponentType is the component type; absent when empty.
	LabelComponentType = "nvidia.com/dynamo-component-type"
	// LabelSubComponentType is the sub-component type; absent when empty.
	LabelSubComponentType = "nvidia.com/dynamo-sub-component-type"
	// LabelComponentClass is ClassWorker on workers with a frontend of their own, which endpoint pickers pick.
	LabelComponentClass = "nvidia.com/dynamo-component-class"
	// LabelBaseModelHash is the first 8 hex digits of the SHA-256 of the base model's name.
	LabelBaseModelHash = "nvidia.com/dynamo-base-model-hash"
	// LabelWorkerHash is the hash of the specs of a graph's workers, on the objects of workers that have generations.
	LabelWorkerHash = "nvidia.com/dynamo-worker-hash"
	// LabelMetricsEnabled is "true" on pods that are to be scraped.
	LabelMetricsEnabled = "nvidia.com/metrics-enabled"
	// LabelDiscoveryBackend and LabelDiscoveryEnabled mark the Services through which workers are discovered.
	LabelDiscoveryBackend = "nvidia.com/dynamo-discovery-backend"
	LabelDiscoveryEnabled = "nvidia.com/dynamo-discovery-enabled"
	// LabelComponentPod marks a ServiceAccount that component pods use by default.
	LabelComponentPod = "nvidia.com/dynamo-component-pod"
	// LabelManagedBy marks objects that the operator created outside a graph's ownership.
	LabelManagedBy = "nvidia.com/managed-by"
	// LabelOperatorNamespace is, on cluster-scoped objects, the namespace of the operator's release.
	LabelOperatorNamespace = "nvidia.com/dynamo-operator-namespace"
	// LabelCheckpointName, LabelCheckpointHash and LabelCheckpointSource are on checkpoint Jobs and their pods.
	LabelCheckpointName   = "nvidia.com/checkpoint-name"
	LabelCheckpointHash   = "nvidia.com/checkpoint-hash"
	LabelCheckpointSource = "nvidia.com/checkpoint-source"
	// LabelRequestName and LabelRequestNamespace point from a generated object to its DynamoGraphDeploymentRequest,
	// and LabelRequestUID tells that from an earlier one of the same name.
	LabelRequestName      = "dgdr.nvidia.com/name"
	LabelRequestNamespace = "dgdr.nvidia.com/namespace"
	LabelRequestUID       = "dgdr.nvidia.com/uid"
)

// ClassWorker is the value of LabelComponentClass.
const ClassWorker = "worker"

// Annotations that users set.
const (
	// AnnotationEnableGrove on a graph: "false" chooses Deployments although Grove is installed.
	AnnotationEnableGrove = "nvidia.com/enable-grove"
	// AnnotationDiscoveryBackend on a graph or component: "kubernetes" or "etcd".
	AnnotationDiscoveryBackend = "nvidia.com/dynamo-discovery-backend"
	// AnnotationKaiSchedulerQueue on a graph: queue name, default "dynamo".
	AnnotationKaiSchedulerQueue = "nvidia.com/kai-scheduler-queue"
	// AnnotationEnableMetrics on a graph: "false" drops LabelMetricsEnabled.
	AnnotationEnableMetrics = "nvidia.com/enable-metrics"
	// AnnotationDisableImagePullSecretDiscovery on a service: "true" switches the look-up off.
	AnnotationDisableImagePullSecretDiscovery = "nvidia.com/disable-image-pull-secret-discovery"
	// AnnotationDeploymentStrategy on a service: "RollingUpdate" (default) or "Recreate".
	AnnotationDeploymentStrategy = "nvidia.com/deployment-strategy"
	// AnnotationRollingUpdateMaxSurge and AnnotationRollingUpdateMaxUnavailable on a service, default "25%".
	AnnotationRollingUpdateMaxSurge       = "nvidia.com/deployment-rolling-update-max-surge"
	AnnotationRollingUpdateMaxUnavailable = "nvidia.com/deployment-rolling-update-max-unavailable"
	// AnnotationEnableDebugMode on a service: "true" adds a debugger sidecar.
	AnnotationEnableDebugMode = "nvidia.com/enable-debug-mode"
	// AnnotationFrontendSidecar on a service: the name of the container of extraPodSpec that is a frontend
	// of the service's own.
	AnnotationFrontendSidecar = "nvidia.com/frontend-sidecar"
	// AnnotationMinAvailable on a service: how many replicas are scheduled as one gang, default 1.
	AnnotationMinAvailable = "nvidia.com/min-available"
)

// Annotations that the operator sets.
const (
	// AnnotationOperatorOriginVersion on a graph: version of the operator that first saw it, as semver.
	AnnotationOperatorOriginVersion = "nvidia.com/dynamo-operator-origin-version"
	// AnnotationRestartAt on a pod template: the id of the last restart that reached it.
	AnnotationRestartAt = "nvidia.com/restartAt"
	// AnnotationRestoreFrom on a graph's component: the artifact of the checkpoint that its pods start from.
	AnnotationRestoreFrom = "nvidia.com/restore-from-checkpoint"
	// AnnotationBaseModel is the base model's name, next to LabelBaseModelHash.
	AnnotationBaseModel = "nvidia.com/dynamo-base-model"
	// AnnotationLoadedAdapter on a model: what workers have loaded for it, to be unloaded when it changes or goes.
	AnnotationLoadedAdapter = "nvidia.com/loaded-adapter"
	// AnnotationLastAppliedHash and AnnotationLastAppliedGeneration are bookkeeping that earlier
	// operators left on child objects.
	AnnotationLastAppliedHash       = "nvidia.com/last-applied-hash"
	AnnotationLastAppliedGeneration = "nvidia.com/last-applied-generation"
	// AnnotationAdditionalResources on a request holds the further documents of a profiling result.
	AnnotationAdditionalResources = "dgdr.nvidia.com/additional-resources"
)

// Values of AnnotationDiscoveryBackend.
const (
	DiscoveryBackendKubernetes = "kubernetes"
	DiscoveryBackendEtcd       = "etcd"
)
