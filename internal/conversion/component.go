package conversion

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

type (
	alphaSpec = v1alpha1.DynamoComponentDeploymentSharedSpec
	betaSpec  = v1beta1.DynamoComponentDeploymentSharedSpec
)

// betaComponent says in v1beta1 what it can of a service.
func betaComponent(name string, a *alphaSpec) *betaSpec {
	a = a.DeepCopy()
	b := &betaSpec{
		Name: name, Type: betaType(a.ComponentType, a.SubComponentType),
		GlobalDynamoNamespace: a.GlobalDynamoNamespace, Replicas: a.Replicas,
		SharedMemorySize: betaSharedMemory(a.SharedMemory),
		ModelRef:         (*v1beta1.ModelReference)(a.ModelRef), EPPConfig: (*v1beta1.EPPConfig)(a.EPPConfig),
	}
	if a.Multinode != nil {
		b.Multinode = &v1beta1.MultinodeSpec{NodeCount: a.Multinode.NodeCount}
	}
	if a.ScalingAdapter != nil && a.ScalingAdapter.Enabled {
		b.ScalingAdapter = &v1beta1.ScalingAdapter{}
	}
	if c := a.Checkpoint; c != nil {
		b.Experimental = &v1beta1.ExperimentalSpec{Checkpoint: &v1beta1.ComponentCheckpointConfig{
			Enabled: c.Enabled, Mode: c.Mode, Identity: c.Identity,
		}}
		if c.CheckpointRef != "" {
			b.Experimental.Checkpoint.CheckpointRef = &c.CheckpointRef
		}
	}
	b.FrontendSidecar, b.MinAvailable = betaDirectives(a.Annotations)
	b.CompilationCache = betaCache(a.VolumeMounts)
	b.PodTemplate = betaPods(a)
	return b
}

// alphaComponent says in v1alpha1 what it can of a component.
func alphaComponent(b *betaSpec) *alphaSpec {
	b = b.DeepCopy()
	a := &alphaSpec{
		GlobalDynamoNamespace: b.GlobalDynamoNamespace, Replicas: b.Replicas,
		SharedMemory: alphaSharedMemory(b.SharedMemorySize),
		ModelRef:     (*v1alpha1.ModelReference)(b.ModelRef), EPPConfig: (*v1alpha1.EPPConfig)(b.EPPConfig),
		Annotations: alphaDirectives(b),
	}
	a.ComponentType, a.SubComponentType = alphaType(b.Type)
	if b.Multinode != nil {
		a.Multinode = &v1alpha1.MultinodeSpec{NodeCount: b.Multinode.NodeCount}
	}
	if b.ScalingAdapter != nil {
		a.ScalingAdapter = &v1alpha1.ScalingAdapter{Enabled: true}
	}
	if b.Experimental != nil && b.Experimental.Checkpoint != nil {
		c := b.Experimental.Checkpoint
		a.Checkpoint = &v1alpha1.ServiceCheckpointConfig{Enabled: c.Enabled, Mode: c.Mode, Identity: c.Identity}
		if c.CheckpointRef != nil {
			a.Checkpoint.CheckpointRef = *c.CheckpointRef
		}
	}
	if c := b.CompilationCache; c != nil {
		a.VolumeMounts = []v1alpha1.VolumeMount{{Name: c.PVCName, MountPoint: c.MountPath, UseAsCompilationCache: true}}
	}
	alphaPods(b.PodTemplate, a)
	return a
}

// betaType: workers of two kinds are types of their own, and what v1beta1 does not know is a plain container.
func betaType(component, sub string) v1beta1.ComponentType {
	switch component {
	case v1alpha1.ComponentTypeWorker:
		if sub == v1alpha1.ComponentTypePrefill || sub == v1alpha1.ComponentTypeDecode {
			return v1beta1.ComponentType(sub)
		}
		return v1beta1.ComponentTypeWorker
	case v1alpha1.ComponentTypeFrontend, v1alpha1.ComponentTypePrefill, v1alpha1.ComponentTypeDecode,
		v1alpha1.ComponentTypePlanner, v1alpha1.ComponentTypeEPP:
		return v1beta1.ComponentType(component)
	}
	return ""
}

func alphaType(kind v1beta1.ComponentType) (component, sub string) {
	if kind == v1beta1.ComponentTypePrefill || kind == v1beta1.ComponentTypeDecode {
		return v1alpha1.ComponentTypeWorker, string(kind)
	}
	return string(kind), ""
}

func betaSharedMemory(s *v1alpha1.SharedMemorySpec) *resource.Quantity {
	switch {
	case s == nil:
		return nil
	case s.Disabled:
		return &resource.Quantity{}
	}
	return &s.Size
}

func alphaSharedMemory(size *resource.Quantity) *v1alpha1.SharedMemorySpec {
	switch {
	case size == nil:
		return nil
	case size.IsZero():
		return &v1alpha1.SharedMemorySpec{Disabled: true}
	}
	return &v1alpha1.SharedMemorySpec{Size: *size}
}

// betaDirectives: what are fields there are annotations of a service here.
func betaDirectives(annotations map[string]string) (sidecar *string, minAvailable *int32) {
	if name, found := annotations[v1alpha1.AnnotationFrontendSidecar]; found {
		sidecar = &name
	}
	text := annotations[v1alpha1.AnnotationMinAvailable]
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && strconv.FormatInt(n, 10) == text {
		least := int32(n)
		minAvailable = &least
	}
	return sidecar, minAvailable
}

func alphaDirectives(b *betaSpec) map[string]string {
	annotations := map[string]string{}
	if b.FrontendSidecar != nil {
		annotations[v1alpha1.AnnotationFrontendSidecar] = *b.FrontendSidecar
	}
	if b.MinAvailable != nil {
		annotations[v1alpha1.AnnotationMinAvailable] = strconv.Itoa(int(*b.MinAvailable))
	}
	if len(annotations) == 0 {
		return nil
	}
	return annotations
}

// betaPods is nil where nothing is said of pods. The component's own fields win over those of its main
// container, as they do in its pods.
func betaPods(a *alphaSpec) *v1beta1.PodTemplate {
	t := &v1beta1.PodTemplate{}
	if m := a.ExtraPodMetadata; m != nil {
		t.ObjectMeta = metav1.ObjectMeta{Labels: m.Labels, Annotations: m.Annotations}
	}
	var main *corev1.Container
	if extra := a.ExtraPodSpec; extra != nil {
		if extra.PodSpec != nil {
			t.Spec = *extra.PodSpec
		}
		main = extra.MainContainer
	}
	if main == nil && ofMain(a) {
		main = &corev1.Container{}
	}
	if main != nil {
		betaMain(a, main)
		betaMounts(a.VolumeMounts, main, &t.Spec)
		sidecars := t.Spec.Containers
		t.Spec.Containers = []corev1.Container{*main}
		for _, c := range sidecars {
			if c.Name != v1beta1.MainContainerName {
				t.Spec.Containers = append(t.Spec.Containers, c)
			}
		}
	}
	if zero(*t) {
		return nil
	}
	return t
}

// ofMain reports whether a service has fields that are the main container's in v1beta1.
func ofMain(a *alphaSpec) bool {
	return len(a.Envs) > 0 || a.EnvFromSecret != "" || a.LivenessProbe != nil || a.ReadinessProbe != nil ||
		!zero(quantities(a.Resources)) || len(plainMounts(a.VolumeMounts)) > 0
}

func betaMain(a *alphaSpec, main *corev1.Container) {
	main.Name = v1beta1.MainContainerName
	main.Env = unite(envKey, main.Env, a.Envs)
	if a.EnvFromSecret != "" {
		main.EnvFrom = append(main.EnvFrom, secretSource(a.EnvFromSecret))
	}
	if a.LivenessProbe != nil {
		main.LivenessProbe = a.LivenessProbe
	}
	if a.ReadinessProbe != nil {
		main.ReadinessProbe = a.ReadinessProbe
	}
	main.Resources = uniteResources(main.Resources, quantities(a.Resources))
}

func secretSource(name string) corev1.EnvFromSource {
	return corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

// alphaPods leaves the main container whole: which of its fields were the component's own is kept.
func alphaPods(t *v1beta1.PodTemplate, a *alphaSpec) {
	if t == nil {
		return
	}
	if len(t.Labels)+len(t.Annotations) > 0 {
		a.ExtraPodMetadata = &v1alpha1.ExtraPodMetadata{Labels: t.Labels, Annotations: t.Annotations}
	}
	extra := &v1alpha1.ExtraPodSpec{PodSpec: &t.Spec}
	if at := find(t.Spec.Containers, containerKey, v1beta1.MainContainerName); at >= 0 {
		main := t.Spec.Containers[at]
		main.Name = ""
		extra.MainContainer = &main
		extra.Containers = slices.Concat(t.Spec.Containers[:at], t.Spec.Containers[at+1:])
	}
	if zero(*extra.PodSpec) {
		extra.PodSpec = nil
	}
	if *extra != (v1alpha1.ExtraPodSpec{}) {
		a.ExtraPodSpec = extra
	}
}

// said is what both versions can say of a component, in v1beta1 and without regard to the order of
// lists that have keys.
func said(b *betaSpec) *betaSpec {
	b = betaComponent(b.Name, alphaComponent(b))
	if b.PodTemplate == nil {
		return b
	}
	spec := &b.PodTemplate.Spec
	spec.Volumes = sorted(spec.Volumes, volumeKey)
	if main := b.PodTemplate.Main(); main != nil {
		main.Env = sorted(main.Env, envKey)
		main.VolumeMounts = sorted(main.VolumeMounts, mountKey)
		main.Resources.Claims = sorted(main.Resources.Claims, claimKey)
	}
	return b
}

func copied(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}
