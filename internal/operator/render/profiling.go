package render

import (
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// What a profiler leaves, by the names of its files, which are the keys of the
// ConfigMap that they become.
const (
	ProfilingResult       = "config_with_planner.yaml"
	ProfilingMockerResult = "mocker_config_with_planner.yaml"
	ProfilingStatus       = "profiler_status.yaml"
)

// Containers of the pod of a profiling Job. They run one after the other.
const (
	ProfilerContainer  = "profiler"
	PublisherContainer = "output-copier"
)

// HuggingFaceSecret is where profilers find the token by which models are fetched.
const HuggingFaceSecret = "hf-token-secret"

const (
	profilingData      = "/data"
	profilingConfig    = "/config"
	profilingBaseFile  = "disagg.yaml"
	modelCacheVolume   = "model-cache"
	profilingUser      = 1000
	profilingRetries   = 3
	defaultModelCache  = "/opt/model-cache"
	huggingFaceKey     = "HF_TOKEN"
	annotationSpec     = "dgdr.nvidia.com/spec"
	profilingComponent = "dynamo-profiler"
	estimatorComponent = "aic-profiler"
)

// Hardware is what the cluster's nodes say of their GPUs. What is zero is not
// known, or differs from node to node.
type Hardware struct {
	GPUsPerNode int64
	Model       string
	MemoryMiB   int64
}

// ProfilingJobName is the name of the Job of a request.
func ProfilingJobName(request string) string { return "profile-" + request }

// ProfilingPods is the value of v1alpha1.LabelSelector on the pods of the Job.
// No component can have such a name, so no Service finds them.
func ProfilingPods(request string) string { return "job_" + ProfilingJobName(request) }

// ProfilingJob renders the Job of a request for which validate.Request found no
// error.
func ProfilingJob(r *v1alpha1.DynamoGraphDeploymentRequest, cfg *config.OperatorConfiguration, hardware Hardware) (*batchv1.Job, error) {
	profile, err := newProfile(r, hardware)
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("note the spec: %w", err)
	}
	labels := mergeMaps(managedBy(), map[string]string{
		"app": profile.component(), "dgdr": r.Name, v1alpha1.LabelManagedBy: Manager,
	})
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Name: ProfilingJobName(r.Name), Namespace: r.Namespace, Labels: labels,
			Annotations: map[string]string{annotationSpec: string(spec)},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](profilingRetries),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: mergeMaps(labels, map[string]string{v1alpha1.LabelSelector: ProfilingPods(r.Name)})},
				Spec:       profile.pod(cfg),
			},
		},
	}, nil
}

// ProfilerImage is that of a request's profiler: the one that it names, or that of
// its workers, which has the profiler too, or the platform's; "" if there is none.
func ProfilerImage(spec *v1alpha1.DynamoGraphDeploymentRequestSpec, cfg *config.OperatorConfiguration) string {
	workers := ""
	if spec.DeploymentOverrides != nil {
		workers = spec.DeploymentOverrides.WorkersImage
	}
	return firstOf(spec.ProfilingConfig.ProfilerImage, workers, cfg.Profiling.ProfilerImage)
}

// StartedSpec is the spec with which a profiling Job was begun, nil if it does
// not say.
func StartedSpec(job *batchv1.Job) *v1alpha1.DynamoGraphDeploymentRequestSpec {
	spec := &v1alpha1.DynamoGraphDeploymentRequestSpec{}
	if json.Unmarshal([]byte(job.Annotations[annotationSpec]), spec) != nil {
		return nil
	}
	return spec
}

// profile is a request with the configuration that its profiler gets.
type profile struct {
	request *v1alpha1.DynamoGraphDeploymentRequest
	config  map[string]any
	text    string
}

func newProfile(r *v1alpha1.DynamoGraphDeploymentRequest, hardware Hardware) (*profile, error) {
	p := &profile{request: r, config: map[string]any{}}
	if err := json.Unmarshal(r.Spec.ProfilingConfig.Config.Raw, &p.config); err != nil {
		return nil, fmt.Errorf("read the profiler's configuration: %w", err)
	}
	if err := p.complete(hardware); err != nil {
		return nil, fmt.Errorf("complete the profiler's configuration: %w", err)
	}
	text, err := yaml.Marshal(p.config)
	p.text = string(text)
	return p, err
}

// complete writes what the request says elsewhere into the profiler's
// configuration, and what that leaves open.
func (p *profile) complete(hardware Hardware) error {
	var failed error
	set := func(value any, keys ...string) {
		if err := unstructured.SetNestedField(p.config, value, keys...); err != nil && failed == nil {
			failed = err
		}
	}
	setDefault := func(value any, keys ...string) {
		if _, found, err := unstructured.NestedFieldNoCopy(p.config, keys...); !found || err != nil {
			set(value, keys...)
		}
	}
	spec := p.request.Spec
	set(spec.Model, "deployment", "model")
	set(string(spec.Backend), "engine", "backend")
	if overrides := spec.DeploymentOverrides; overrides != nil && overrides.WorkersImage != "" {
		set(overrides.WorkersImage, "deployment", "dgd_image")
	}
	if spec.ProfilingConfig.ConfigMapRef != nil {
		set(profilingConfig+"/"+profilingBaseFile, "engine", "config")
	}
	setDefault(p.request.Namespace, "deployment", "namespace")
	// Where the operator's own container looks.
	set(profilingData, "output_dir")
	if hardware.GPUsPerNode > 0 {
		setDefault(hardware.GPUsPerNode, "hardware", "num_gpus_per_node")
	}
	if hardware.Model != "" {
		setDefault(hardware.Model, "hardware", "gpu_model")
	}
	if hardware.MemoryMiB > 0 {
		setDefault(hardware.MemoryMiB, "hardware", "gpu_vram_mib")
	}
	return failed
}

func (p *profile) value(keys ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(p.config, keys...)
	return value
}

func (p *profile) textAt(keys ...string) string {
	text, _ := p.value(keys...).(string)
	return text
}

// component tells profilers that measure from those that estimate.
func (p *profile) component() string {
	if p.value("sweep", "useAiConfigurator") == true || p.value("sweep", "use_ai_configurator") == true {
		return estimatorComponent
	}
	return profilingComponent
}

// pod profiles first and publishes then: an init container has ended before the
// next one begins, so nobody has to wait for it, or to look at pods.
func (p *profile) pod(cfg *config.OperatorConfiguration) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: ProfilingServiceAccount,
		RestartPolicy:      corev1.RestartPolicyNever,
		Tolerations:        p.request.Spec.ProfilingConfig.Tolerations,
		NodeSelector:       p.request.Spec.ProfilingConfig.NodeSelector,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](profilingUser), RunAsGroup: ptr.To[int64](profilingUser),
			FSGroup: ptr.To[int64](profilingUser), FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		InitContainers: []corev1.Container{p.profiler(cfg)},
		Containers:     []corev1.Container{publisher(p.request, cfg)},
		Volumes:        p.volumes(),
	}
}

// unprivileged is that of both containers.
func unprivileged() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func (p *profile) profiler(cfg *config.OperatorConfiguration) corev1.Container {
	container := corev1.Container{
		Name:    ProfilerContainer,
		Image:   ProfilerImage(&p.request.Spec, cfg),
		Command: []string{"python", "-m", "benchmarks.profiler.profile_sla"},
		Args:    []string{"--profile-config", p.text},
		Env:     p.environment(cfg),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "profiling-output", MountPath: profilingData},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          unprivileged(),
	}
	if resources := p.request.Spec.ProfilingConfig.Resources; resources != nil {
		container.Resources = *resources.DeepCopy()
	}
	if p.request.Spec.ProfilingConfig.ConfigMapRef != nil {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "profiling-config", MountPath: profilingConfig, ReadOnly: true})
	}
	if ModelCacheClaim(p.request) != "" {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{
			Name: modelCacheVolume, MountPath: firstOf(p.textAt("deployment", "modelCache", "mountPath"), p.textAt("deployment", "modelCache", "pvcMountPath"), defaultModelCache), ReadOnly: true,
		})
	}
	return container
}

// environment: the token is used where the Secret is, and nobody has to make one.
func (p *profile) environment(cfg *config.OperatorConfiguration) []corev1.EnvVar {
	env := []corev1.EnvVar{{Name: "HUGGING_FACE_HUB_TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: HuggingFaceSecret}, Key: huggingFaceKey, Optional: ptr.To(true),
	}}}}
	if address := cfg.Infrastructure.NATSAddress; address != "" {
		env = append(env, corev1.EnvVar{Name: "NATS_SERVER", Value: address})
	}
	if address := cfg.Infrastructure.EtcdAddress; address != "" {
		env = append(env, corev1.EnvVar{Name: "ETCD_ENDPOINTS", Value: address})
	}
	return append(env,
		corev1.EnvVar{Name: "DGDR_NAME", Value: p.request.Name},
		corev1.EnvVar{Name: "DGDR_NAMESPACE", Value: p.request.Namespace},
		corev1.EnvVar{Name: "DGDR_UID", Value: string(p.request.UID)},
	)
}

// publisher hands the files on, by the operator's own program.
func publisher(r *v1alpha1.DynamoGraphDeploymentRequest, cfg *config.OperatorConfiguration) corev1.Container {
	return corev1.Container{
		Name:  PublisherContainer,
		Image: cfg.Profiling.PublisherImage,
		Args:  []string{"publish", "--from", profilingData, "--namespace", r.Namespace, "--configmap", ProfilingOutput(r.Name)},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
		},
		VolumeMounts:             []corev1.VolumeMount{{Name: "profiling-output", MountPath: profilingData, ReadOnly: true}},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          unprivileged(),
	}
}

func (p *profile) volumes() []corev1.Volume {
	profiling := p.request.Spec.ProfilingConfig
	volumes := []corev1.Volume{{Name: "profiling-output", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	if profiling.OutputPVC != "" {
		volumes[0].VolumeSource = claimVolume(profiling.OutputPVC, false)
	}
	if ref := profiling.ConfigMapRef; ref != nil {
		volumes = append(volumes, corev1.Volume{Name: "profiling-config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name},
			Items:                []corev1.KeyToPath{{Key: BaseGraphKey(ref), Path: profilingBaseFile}},
		}}})
	}
	if claim := ModelCacheClaim(p.request); claim != "" {
		volumes = append(volumes, corev1.Volume{Name: modelCacheVolume, VolumeSource: claimVolume(claim, true)})
	}
	return volumes
}

func claimVolume(name string, readOnly bool) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name, ReadOnly: readOnly}}
}

// BaseGraphKey is the entry of a ConfigMap with the graph to start from.
func BaseGraphKey(ref *v1alpha1.ConfigMapKeySelector) string {
	return firstOf(ref.Key, profilingBaseFile)
}

// ModelCacheClaim is the claim with models that a profiler's configuration names,
// or "".
func ModelCacheClaim(r *v1alpha1.DynamoGraphDeploymentRequest) string {
	var config struct {
		Deployment struct {
			ModelCache struct {
				PVCName string `json:"pvcName"`
			} `json:"modelCache"`
		} `json:"deployment"`
	}
	if r.Spec.ProfilingConfig.Config == nil || json.Unmarshal(r.Spec.ProfilingConfig.Config.Raw, &config) != nil {
		return ""
	}
	return config.Deployment.ModelCache.PVCName
}
