package conversion

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

type (
	alphaAsked = v1alpha1.DynamoGraphDeploymentRequestSpec
	betaAsked  = v1beta1.DynamoGraphDeploymentRequestSpec
)

// chosenBackend is the engine where v1beta1 leaves it open.
const (
	chosenBackend = v1alpha1.BackendFrameworkVLLM
	openBackend   = v1beta1.BackendType("auto")
)

const (
	profilerContainer = "profiler"
	rapid             = v1beta1.SearchStrategy("rapid")
)

// alphaRequest is what v1beta1 cannot say of a request.
type alphaRequest struct {
	EnableGPUDiscovery  bool                           `json:"enableGpuDiscovery,omitempty"`
	ConfigMapRef        *v1alpha1.ConfigMapKeySelector `json:"configMapRef,omitempty"`
	OutputPVC           string                         `json:"outputPVC,omitempty"`
	DeploymentOverrides *v1alpha1.DeploymentOverrides  `json:"deploymentOverrides,omitempty"`
	// Config is what no field of v1beta1 says.
	Config *runtime.RawExtension `json:"config,omitempty"`
	Exact  *alphaAsked           `json:"exact,omitempty"`
}

// betaRequest is what v1alpha1 cannot say of a request.
type betaRequest struct {
	Rest  *betaAsked `json:"rest,omitempty"`
	Exact *betaAsked `json:"exact,omitempty"`
}

// RequestToBeta converts a request of v1alpha1.
func RequestToBeta(a *v1alpha1.DynamoGraphDeploymentRequest) *v1beta1.DynamoGraphDeploymentRequest {
	b := &v1beta1.DynamoGraphDeploymentRequest{TypeMeta: betaMeta(a.TypeMeta)}
	b.Spec = *toBetaRequest(&a.Spec, read[betaRequest](a.ObjectMeta, specAnnotation))
	rest := alphaAskedRest(&a.Spec, &b.Spec)
	smaller := *rest
	smaller.Exact = nil

	status, statusRest := betaRequestStatus(&a.Status, read[betaRequestRest](a.ObjectMeta, statusAnnotation))
	b.Status = *status
	b.ObjectMeta = withKept(a.ObjectMeta, []any{rest, smaller}, []any{statusRest})
	return b
}

// RequestToAlpha converts a request of v1beta1.
func RequestToAlpha(b *v1beta1.DynamoGraphDeploymentRequest) *v1alpha1.DynamoGraphDeploymentRequest {
	a := &v1alpha1.DynamoGraphDeploymentRequest{TypeMeta: alphaMeta(b.TypeMeta)}
	a.Spec = *toAlphaRequest(&b.Spec, read[alphaRequest](b.ObjectMeta, specAnnotation))
	rest := betaAskedRest(&b.Spec, &a.Spec)

	status, statusRest := alphaRequestStatus(&b.Status, read[alphaRequestRest](b.ObjectMeta, statusAnnotation))
	a.Status = *status
	a.ObjectMeta = withKept(b.ObjectMeta, []any{rest, betaRequest{Rest: rest.Rest}}, []any{statusRest})
	return a
}

// betaAsks says in v1beta1 what it can of a request, and returns what is left of its configuration.
func betaAsks(a *alphaAsked) (b *betaAsked, left map[string]any) {
	a = a.DeepCopy()
	b = &betaAsked{
		Model: a.Model, Backend: v1beta1.BackendType(a.Backend), Image: a.ProfilingConfig.ProfilerImage,
		AutoApply: &a.AutoApply, SearchStrategy: rapid,
	}
	if b.Image == "" && a.DeploymentOverrides != nil {
		b.Image = a.DeploymentOverrides.WorkersImage
	}
	if a.UseMocker {
		b.Features = &v1beta1.FeaturesSpec{Mocker: &v1beta1.MockerSpec{Enabled: true}}
	}
	left = betaConfig(decodeMap(a.ProfilingConfig.Config), b)
	if a.DeploymentOverrides != nil && a.DeploymentOverrides.DGD != nil {
		b.Overrides = &v1beta1.OverridesSpec{DGD: a.DeploymentOverrides.DGD}
	}
	if p := a.ProfilingConfig; p.Resources == nil && len(p.Tolerations) == 0 && len(p.NodeSelector) == 0 {
		return b, left
	}
	job := &v1beta1.ProfilingJob{}
	job.Template.Spec.Tolerations, job.Template.Spec.NodeSelector = a.ProfilingConfig.Tolerations, a.ProfilingConfig.NodeSelector
	if r := a.ProfilingConfig.Resources; r != nil {
		job.Template.Spec.Containers = []corev1.Container{{Name: profilerContainer, Resources: *r}}
	}
	if b.Overrides == nil {
		b.Overrides = &v1beta1.OverridesSpec{}
	}
	b.Overrides.ProfilingJob = job
	return b, left
}

// alphaAsks says in v1alpha1 what it can of a request.
func alphaAsks(b *betaAsked) *alphaAsked {
	b = b.DeepCopy()
	a := &alphaAsked{
		Model: b.Model, Backend: v1alpha1.BackendFramework(b.Backend), AutoApply: b.AutoApply == nil || *b.AutoApply,
		UseMocker:       b.Features != nil && b.Features.Mocker != nil && b.Features.Mocker.Enabled,
		ProfilingConfig: v1alpha1.ProfilingConfig{ProfilerImage: b.Image, Config: encodeMap(alphaConfig(b))},
	}
	if b.Backend == openBackend || b.Backend == "" {
		a.Backend = chosenBackend
	}
	if b.Overrides != nil && b.Overrides.DGD != nil {
		a.DeploymentOverrides = &v1alpha1.DeploymentOverrides{DGD: b.Overrides.DGD}
	}
	if b.Overrides != nil && b.Overrides.ProfilingJob != nil {
		pod := &b.Overrides.ProfilingJob.Template.Spec
		a.ProfilingConfig.Tolerations, a.ProfilingConfig.NodeSelector = pod.Tolerations, pod.NodeSelector
		if at := find(pod.Containers, containerKey, profilerContainer); at >= 0 && !zero(pod.Containers[at].Resources) {
			a.ProfilingConfig.Resources = &pod.Containers[at].Resources
		}
	}
	return a
}

// asked is what both versions can say of a request, in v1beta1.
func asked(b *betaAsked) *betaAsked {
	canonical, _ := betaAsks(alphaAsks(b))
	return canonical
}

func toBetaRequest(a *alphaAsked, kept *betaRequest) *betaAsked {
	plain, _ := betaAsks(a)
	if kept == nil {
		return plain
	}
	want := asked(plain)
	if kept.Exact != nil && same(asked(kept.Exact), want) {
		return kept.Exact.DeepCopy()
	}
	if kept.Rest == nil {
		return plain
	}
	full := plain.DeepCopy()
	fillBetaRequest(full, kept.Rest.DeepCopy())
	if !same(asked(full), want) {
		return plain
	}
	return full
}

func betaAskedRest(b *betaAsked, a *alphaAsked) *betaRequest {
	b = b.DeepCopy()
	plain, _ := betaAsks(a)
	r := &betaAsked{RuntimeVersionOverride: b.RuntimeVersionOverride}
	if b.Backend == openBackend {
		r.Backend = b.Backend
	}
	if b.Overrides != nil {
		r.Overrides = &v1beta1.OverridesSpec{}
		if job := b.Overrides.ProfilingJob.DeepCopy(); job != nil && (plain.Overrides == nil || !same(job, plain.Overrides.ProfilingJob)) {
			job.Template.Spec.Tolerations, job.Template.Spec.NodeSelector = nil, nil
			if at := find(job.Template.Spec.Containers, containerKey, profilerContainer); at >= 0 {
				job.Template.Spec.Containers[at].Resources = corev1.ResourceRequirements{}
			}
			r.Overrides.ProfilingJob = job
		}
		if zero(*r.Overrides) && plain.Overrides != nil {
			r.Overrides = nil
		}
	}
	keepEmpty(r, b, plain)
	kept := &betaRequest{Rest: r}
	if zero(*r) {
		kept.Rest = nil
	}
	if !same(toBetaRequest(a, kept), b) {
		kept.Exact = b
	}
	return kept
}

// keepEmpty keeps what is there and says nothing.
func keepEmpty(r, b, plain *betaAsked) {
	if b.SLA != nil && plain.SLA == nil {
		r.SLA = b.SLA
	}
	if b.Workload != nil && plain.Workload == nil {
		r.Workload = b.Workload
	}
	if b.Hardware != nil && plain.Hardware == nil {
		r.Hardware = b.Hardware
	}
	if b.ModelCache != nil && plain.ModelCache == nil {
		r.ModelCache = b.ModelCache
	}
	if f := b.Features; f != nil && (plain.Features == nil || f.Mocker != nil && plain.Features.Mocker == nil) {
		r.Features = &v1beta1.FeaturesSpec{Mocker: f.Mocker}
	}
}

func fillBetaRequest(b, r *betaAsked) {
	b.RuntimeVersionOverride = r.RuntimeVersionOverride
	if r.Backend == openBackend && b.Backend == v1beta1.BackendType(chosenBackend) {
		b.Backend = openBackend
	}
	if b.SLA == nil {
		b.SLA = r.SLA
	}
	if b.Workload == nil {
		b.Workload = r.Workload
	}
	if b.Hardware == nil {
		b.Hardware = r.Hardware
	}
	if b.ModelCache == nil {
		b.ModelCache = r.ModelCache
	}
	switch {
	case r.Features == nil:
	case b.Features == nil:
		b.Features = r.Features
	case b.Features.Mocker == nil:
		b.Features.Mocker = r.Features.Mocker
	}
	switch {
	case r.Overrides == nil:
	case b.Overrides == nil:
		b.Overrides = r.Overrides
	default:
		b.Overrides.ProfilingJob = uniteJobs(r.Overrides.ProfilingJob, b.Overrides.ProfilingJob)
	}
}

// uniteJobs writes what v1alpha1 says of a Job into the one that was kept.
func uniteJobs(kept, said *v1beta1.ProfilingJob) *v1beta1.ProfilingJob {
	if kept == nil || said == nil {
		if kept == nil {
			return said
		}
		return kept
	}
	kept.Template.Spec.Tolerations, kept.Template.Spec.NodeSelector = said.Template.Spec.Tolerations, said.Template.Spec.NodeSelector
	for _, c := range said.Template.Spec.Containers {
		if at := find(kept.Template.Spec.Containers, containerKey, c.Name); at >= 0 {
			kept.Template.Spec.Containers[at].Resources = c.Resources
		} else {
			kept.Template.Spec.Containers = append(kept.Template.Spec.Containers, c)
		}
	}
	return kept
}

func toAlphaRequest(b *betaAsked, kept *alphaRequest) *alphaAsked {
	plain := alphaAsks(b)
	if kept == nil {
		return plain
	}
	want := asked(b)
	agrees := func(a *alphaAsked) bool { got, _ := betaAsks(a); return same(asked(got), want) }
	if kept.Exact != nil && agrees(kept.Exact) {
		return kept.Exact.DeepCopy()
	}
	full := plain.DeepCopy()
	full.EnableGPUDiscovery, full.ProfilingConfig.OutputPVC = kept.EnableGPUDiscovery, kept.OutputPVC
	full.ProfilingConfig.ConfigMapRef = kept.ConfigMapRef
	if o := kept.DeploymentOverrides.DeepCopy(); o != nil {
		o.DGD = nil
		if plain.DeploymentOverrides != nil {
			o.DGD = plain.DeploymentOverrides.DGD
		}
		full.DeploymentOverrides = o
	}
	if left := decodeMap(kept.Config); left != nil {
		config := decodeMap(full.ProfilingConfig.Config)
		fillMap(config, left)
		full.ProfilingConfig.Config = encodeMap(config)
	}
	if !agrees(full) {
		return plain
	}
	return full.DeepCopy()
}

func alphaAskedRest(a *alphaAsked, b *betaAsked) *alphaRequest {
	a = a.DeepCopy()
	if config := decodeMap(a.ProfilingConfig.Config); config != nil {
		a.ProfilingConfig.Config = encodeMap(config)
	}
	_, left := betaAsks(a)
	kept := &alphaRequest{
		EnableGPUDiscovery: a.EnableGPUDiscovery, ConfigMapRef: a.ProfilingConfig.ConfigMapRef,
		OutputPVC: a.ProfilingConfig.OutputPVC, DeploymentOverrides: a.DeploymentOverrides.DeepCopy(),
	}
	if o := kept.DeploymentOverrides; o != nil && o.DGD != nil {
		if o.DGD = nil; zero(*o) {
			kept.DeploymentOverrides = nil
		}
	}
	if len(left) > 0 {
		kept.Config = encodeMap(left)
	}
	if !same(toAlphaRequest(b, kept), a) {
		kept.Exact = a
	}
	return kept
}
