package conversion

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// alphaRest is what v1beta1 cannot say of a service.
type alphaRest struct {
	// Rest has the fields that only v1alpha1 has; of those that became the main container's, as much as
	// tells them apart: names of variables, amounts, mounts, an empty probe.
	Rest *alphaSpec `json:"rest,omitempty"`
	// Exact is the whole service where the rest does not suffice, such as for a variable that is set
	// twice. It counts while nothing else has changed.
	Exact *alphaSpec `json:"exact,omitempty"`
}

func (r *alphaRest) withoutExact() *alphaRest {
	if r == nil || r.Rest == nil {
		return nil
	}
	return &alphaRest{Rest: r.Rest}
}

// toAlpha converts a component, with what was kept of it.
func toAlpha(b *betaSpec, kept *alphaRest) *alphaSpec {
	if kept == nil {
		return alphaComponent(b)
	}
	want := said(b)
	agrees := func(a *alphaSpec) bool { return same(said(betaComponent(b.Name, a)), want) }
	if kept.Exact != nil && agrees(kept.Exact) {
		return kept.Exact.DeepCopy()
	}
	if kept.Rest == nil {
		return alphaComponent(b)
	}
	full := alphaComponent(b)
	fillOwn(full, kept.Rest)
	fillShared(full, kept.Rest, b)
	if agrees(full) {
		return full
	}
	plain := alphaComponent(b)
	fillOwn(plain, kept.Rest)
	if agrees(plain) {
		return plain
	}
	return alphaComponent(b)
}

// alphaRestOf is what toAlpha needs to make the service of the component again.
func alphaRestOf(a *alphaSpec, b *betaSpec) *alphaRest {
	if same(alphaComponent(b), a) {
		return nil
	}
	kept := &alphaRest{Rest: sparseAlpha(a)}
	if zero(*kept.Rest) {
		kept.Rest = nil
	}
	if !same(toAlpha(b, kept), a) {
		kept.Exact = a.DeepCopy()
	}
	if *kept == (alphaRest{}) {
		return nil
	}
	return kept
}

// InOneWay is a service that says all in the one way in which both versions can, besides what only
// v1alpha1 has: two services that are the same component in v1beta1 are the same.
func InOneWay(name string, a *v1alpha1.DynamoComponentDeploymentSharedSpec) *v1alpha1.DynamoComponentDeploymentSharedSpec {
	one := alphaComponent(betaComponent(name, a))
	fillOwn(one, sparseAlpha(a))
	return one
}

func sparseAlpha(a *alphaSpec) *alphaSpec {
	a = a.DeepCopy()
	r := &alphaSpec{
		Annotations: copied(a.Annotations), Labels: copied(a.Labels), ServiceName: a.ServiceName,
		DynamoNamespace: a.DynamoNamespace, Autoscaling: a.Autoscaling, Ingress: a.Ingress,
		EnvFromSecret: a.EnvFromSecret, VolumeMounts: a.VolumeMounts, Resources: a.Resources,
	}
	fields := alphaDirectives(&betaSpec{})
	if sidecar, least := betaDirectives(a.Annotations); sidecar != nil || least != nil {
		fields = alphaDirectives(&betaSpec{FrontendSidecar: sidecar, MinAvailable: least})
	}
	maps.DeleteFunc(r.Annotations, func(key, _ string) bool { _, said := fields[key]; return said })
	if len(r.Annotations) == 0 {
		r.Annotations = nil
	}
	if c, s := alphaType(betaType(a.ComponentType, a.SubComponentType)); c != a.ComponentType || s != a.SubComponentType {
		r.ComponentType, r.SubComponentType = a.ComponentType, a.SubComponentType
	}
	if !same(alphaSharedMemory(betaSharedMemory(a.SharedMemory)), a.SharedMemory) {
		r.SharedMemory = a.SharedMemory
	}
	if a.ScalingAdapter != nil && !a.ScalingAdapter.Enabled {
		r.ScalingAdapter = a.ScalingAdapter
	}
	for _, v := range a.Envs {
		r.Envs = append(r.Envs, corev1.EnvVar{Name: v.Name})
	}
	if a.LivenessProbe != nil {
		r.LivenessProbe = &corev1.Probe{}
	}
	if a.ReadinessProbe != nil {
		r.ReadinessProbe = &corev1.Probe{}
	}
	if m := a.ExtraPodMetadata; m != nil && len(m.Labels)+len(m.Annotations) == 0 {
		r.ExtraPodMetadata = &v1alpha1.ExtraPodMetadata{}
	}
	r.ExtraPodSpec = sparsePod(a)
	return r
}

// sparsePod keeps of a service's pod what its own fields hide.
func sparsePod(a *alphaSpec) *v1alpha1.ExtraPodSpec {
	extra := a.ExtraPodSpec
	if extra == nil {
		return nil
	}
	r := &v1alpha1.ExtraPodSpec{}
	if extra.PodSpec != nil {
		for _, v := range extra.Volumes {
			if slices.ContainsFunc(a.VolumeMounts, func(m v1alpha1.VolumeMount) bool { return m.Name == v.Name }) {
				if r.PodSpec == nil {
					r.PodSpec = &corev1.PodSpec{}
				}
				r.Volumes = append(r.Volumes, corev1.Volume{Name: v.Name})
			}
		}
	}
	if main := extra.MainContainer; main != nil {
		hidden := sparseMain(a, main)
		if !zero(*hidden) || zero(*main) && ofMain(a) {
			r.MainContainer = hidden
		}
	}
	if *r == (v1alpha1.ExtraPodSpec{}) && (extra.PodSpec != nil && !zero(*extra.PodSpec) || extra.MainContainer != nil) {
		return nil
	}
	return r
}

func sparseMain(a *alphaSpec, main *corev1.Container) *corev1.Container {
	hidden := &corev1.Container{Name: main.Name, Resources: inBoth(main.Resources, quantities(a.Resources))}
	for _, v := range main.Env {
		if has(a.Envs, envKey, v.Name) {
			hidden.Env = append(hidden.Env, v)
		}
	}
	if a.LivenessProbe != nil {
		hidden.LivenessProbe = main.LivenessProbe
	}
	if a.ReadinessProbe != nil {
		hidden.ReadinessProbe = main.ReadinessProbe
	}
	return hidden
}

// fillOwn writes the fields that only v1alpha1 has.
func fillOwn(a, r *alphaSpec) {
	r = r.DeepCopy()
	a.ServiceName, a.DynamoNamespace = r.ServiceName, r.DynamoNamespace
	a.Autoscaling, a.Ingress, a.Labels = r.Autoscaling, r.Ingress, r.Labels
	for key, value := range r.Annotations {
		if _, said := a.Annotations[key]; said {
			continue
		}
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		a.Annotations[key] = value
	}
	if betaType(r.ComponentType, r.SubComponentType) == betaType(a.ComponentType, a.SubComponentType) && r.ComponentType+r.SubComponentType != "" {
		a.ComponentType, a.SubComponentType = r.ComponentType, r.SubComponentType
	}
	if a.ScalingAdapter == nil {
		a.ScalingAdapter = r.ScalingAdapter
	}
	if r.SharedMemory != nil && same(betaSharedMemory(r.SharedMemory), betaSharedMemory(a.SharedMemory)) {
		a.SharedMemory = r.SharedMemory
	}
	if a.ExtraPodMetadata == nil {
		a.ExtraPodMetadata = r.ExtraPodMetadata
	}
}

// fillShared gives back to the service the fields of the main container that were its own.
func fillShared(a, r *alphaSpec, b *betaSpec) {
	r = r.DeepCopy()
	hidden, own := &corev1.Container{}, []corev1.Volume(nil)
	if r.ExtraPodSpec != nil {
		if r.ExtraPodSpec.MainContainer != nil {
			hidden = r.ExtraPodSpec.MainContainer
		}
		if r.ExtraPodSpec.PodSpec != nil {
			own = r.ExtraPodSpec.Volumes
		}
	}
	if a.ExtraPodSpec == nil {
		a.ExtraPodSpec = &v1alpha1.ExtraPodSpec{}
	}
	extra := a.ExtraPodSpec
	if extra.PodSpec == nil {
		extra.PodSpec = &corev1.PodSpec{}
	}
	if main := extra.MainContainer; main != nil {
		fillMain(a, r, main, hidden)
		a.VolumeMounts = divideMounts(r.VolumeMounts, own, a.VolumeMounts, main, extra.PodSpec)
		if zero(*main) && ofMain(a) && (r.ExtraPodSpec == nil || r.ExtraPodSpec.MainContainer == nil) {
			extra.MainContainer = nil
		}
	}
	if zero(*extra.PodSpec) {
		extra.PodSpec = nil
	}
	if *extra == (v1alpha1.ExtraPodSpec{}) && (r.ExtraPodSpec == nil || b.PodTemplate.Main() != nil) {
		a.ExtraPodSpec = nil
	}
}

func fillMain(a, r *alphaSpec, main, hidden *corev1.Container) {
	main.Name = hidden.Name
	var left []corev1.EnvVar
	for _, v := range main.Env {
		if has(r.Envs, envKey, v.Name) {
			a.Envs = append(a.Envs, v)
		} else {
			left = append(left, v)
		}
	}
	a.Envs = arrange(a.Envs, r.Envs, envKey)
	for _, v := range hidden.Env {
		if has(a.Envs, envKey, v.Name) {
			left = append(left, v)
		}
	}
	main.Env = left
	if n := len(main.EnvFrom); n > 0 && r.EnvFromSecret != "" && same(main.EnvFrom[n-1], secretSource(r.EnvFromSecret)) {
		a.EnvFromSecret, main.EnvFrom = r.EnvFromSecret, main.EnvFrom[:n-1]
	}
	if r.LivenessProbe != nil && main.LivenessProbe != nil {
		a.LivenessProbe, main.LivenessProbe = main.LivenessProbe, hidden.LivenessProbe
	}
	if r.ReadinessProbe != nil && main.ReadinessProbe != nil {
		a.ReadinessProbe, main.ReadinessProbe = main.ReadinessProbe, hidden.ReadinessProbe
	}
	if r.Resources != nil {
		a.Resources = divide(r.Resources, hidden.Resources, &main.Resources)
	}
	// An empty list would be written, where none is.
	if zero(main.Resources) {
		main.Resources = corev1.ResourceRequirements{}
	}
}
