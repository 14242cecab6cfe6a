package conversion

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// betaRest is what v1alpha1 cannot say of a component.
type betaRest struct {
	// Name of the component. The order of components is that of their rests.
	Name string `json:"name,omitempty"`
	// Rest has the fields that only v1beta1 has, and the order of lists where it is another one.
	Rest *betaSpec `json:"rest,omitempty"`
	// Exact is the whole component where the rest does not suffice. It counts while nothing else has changed.
	Exact *betaSpec `json:"exact,omitempty"`
}

// toBeta converts a service, with what was kept of it.
func toBeta(name string, a *alphaSpec, kept *betaRest) *betaSpec {
	plain := betaComponent(name, a)
	if kept == nil {
		return plain
	}
	want := said(plain)
	if kept.Exact != nil {
		exact := kept.Exact.DeepCopy()
		exact.Name = name
		if same(said(exact), want) {
			return exact
		}
	}
	if kept.Rest == nil {
		return plain
	}
	full := plain.DeepCopy()
	fillBeta(full, kept.Rest)
	if !same(said(full), want) {
		return plain
	}
	return full
}

// betaRestOf is what toBeta needs to make the component of the service again.
func betaRestOf(b *betaSpec, a *alphaSpec) *betaRest {
	plain := betaComponent(b.Name, a)
	if same(plain, b) {
		return nil
	}
	kept := &betaRest{Rest: sparseBeta(b, plain)}
	if zero(*kept.Rest) {
		kept.Rest = nil
	}
	if !same(toBeta(b.Name, a, kept), b) {
		kept.Exact = b.DeepCopy()
	}
	if *kept == (betaRest{}) {
		return nil
	}
	kept.Name = b.Name
	return kept
}

func sparseBeta(b, plain *betaSpec) *betaSpec {
	b = b.DeepCopy()
	r := &betaSpec{RuntimeVersionOverride: b.RuntimeVersionOverride, TopologyConstraint: b.TopologyConstraint, ProviderOverride: b.ProviderOverride}
	if m := b.Multinode; m != nil && (m.Leader != nil || m.Worker != nil) {
		r.Multinode = &v1beta1.MultinodeSpec{Leader: m.Leader, Worker: m.Worker}
	}
	if e := b.Experimental; e != nil {
		r.Experimental = &v1beta1.ExperimentalSpec{GPUMemoryService: e.GPUMemoryService, Failover: e.Failover, Grove: e.Grove}
		if c := e.Checkpoint; c != nil {
			c.Enabled, c.Mode, c.Identity = false, "", nil
			if c.CheckpointRef != nil && *c.CheckpointRef != "" {
				c.CheckpointRef = nil
			}
			if !zero(*c) {
				r.Experimental.Checkpoint = c
			}
		}
		if zero(*r.Experimental) && plain.Experimental != nil {
			r.Experimental = nil
		}
	}
	if b.PodTemplate != nil {
		r.PodTemplate = sparseTemplate(b.PodTemplate, plain.PodTemplate)
	}
	return r
}

func sparseTemplate(b, plain *v1beta1.PodTemplate) *v1beta1.PodTemplate {
	r := &v1beta1.PodTemplate{}
	r.ObjectMeta = b.ObjectMeta
	r.Labels, r.Annotations = nil, nil
	if plain == nil {
		return r
	}
	r.Spec.Volumes = order(b.Spec.Volumes, plain.Spec.Volumes, volumeKey, func(v corev1.Volume) corev1.Volume { return corev1.Volume{Name: v.Name} })
	bare := func(c corev1.Container) corev1.Container { return corev1.Container{Name: c.Name} }
	r.Spec.Containers = order(b.Spec.Containers, plain.Spec.Containers, containerKey, bare)
	main, made := b.Main(), plain.Main()
	if main != nil && made != nil {
		in := corev1.Container{
			Name:         main.Name,
			Env:          order(main.Env, made.Env, envKey, func(v corev1.EnvVar) corev1.EnvVar { return corev1.EnvVar{Name: v.Name} }),
			VolumeMounts: order(main.VolumeMounts, made.VolumeMounts, mountKey, func(m corev1.VolumeMount) corev1.VolumeMount { return corev1.VolumeMount{MountPath: m.MountPath} }),
		}
		in.Resources.Claims = order(main.Resources.Claims, made.Resources.Claims, claimKey, func(c corev1.ResourceClaim) corev1.ResourceClaim { return c })
		if len(in.Env)+len(in.VolumeMounts)+len(in.Resources.Claims) > 0 {
			if at := find(r.Spec.Containers, containerKey, main.Name); at >= 0 {
				r.Spec.Containers[at] = in
			} else {
				r.Spec.Containers = []corev1.Container{in}
			}
		}
	}
	if zero(*r) {
		return nil
	}
	return r
}

func fillBeta(b, r *betaSpec) {
	r = r.DeepCopy()
	b.RuntimeVersionOverride, b.TopologyConstraint, b.ProviderOverride = r.RuntimeVersionOverride, r.TopologyConstraint, r.ProviderOverride
	if b.Multinode != nil && r.Multinode != nil {
		b.Multinode.Leader, b.Multinode.Worker = r.Multinode.Leader, r.Multinode.Worker
	}
	if e := r.Experimental; e != nil {
		if b.Experimental == nil {
			b.Experimental = &v1beta1.ExperimentalSpec{}
		}
		b.Experimental.GPUMemoryService, b.Experimental.Failover, b.Experimental.Grove = e.GPUMemoryService, e.Failover, e.Grove
		if c, kept := b.Experimental.Checkpoint, e.Checkpoint; c != nil && kept != nil {
			c.StartupPolicy, c.DeletionPolicy, c.TargetContainerName, c.Job = kept.StartupPolicy, kept.DeletionPolicy, kept.TargetContainerName, kept.Job
			if c.CheckpointRef == nil {
				c.CheckpointRef = kept.CheckpointRef
			}
		}
	}
	if r.PodTemplate != nil {
		fillTemplate(b, r.PodTemplate)
	}
}

func fillTemplate(b *betaSpec, r *v1beta1.PodTemplate) {
	if b.PodTemplate == nil {
		b.PodTemplate = &v1beta1.PodTemplate{}
	}
	t := b.PodTemplate
	labels, annotations := t.Labels, t.Annotations
	t.ObjectMeta = r.ObjectMeta
	t.Labels, t.Annotations = labels, annotations
	if order := r.Spec.Volumes; order != nil {
		t.Spec.Volumes = arrange(t.Spec.Volumes, order, volumeKey)
	}
	if main, order := t.Main(), r.Main(); main != nil && order != nil {
		if order.Env != nil {
			main.Env = arrange(main.Env, order.Env, envKey)
		}
		if order.VolumeMounts != nil {
			main.VolumeMounts = arrange(main.VolumeMounts, order.VolumeMounts, mountKey)
		}
		if order.Resources.Claims != nil {
			main.Resources.Claims = arrange(main.Resources.Claims, order.Resources.Claims, claimKey)
		}
	}
	if len(r.Spec.Containers) > 1 {
		t.Spec.Containers = arrange(t.Spec.Containers, r.Spec.Containers, containerKey)
	}
}
