package conversion

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// betaCache is the first mount that is marked, which is the one that counts.
func betaCache(mounts []v1alpha1.VolumeMount) *v1beta1.CompilationCacheConfig {
	for _, m := range mounts {
		if m.UseAsCompilationCache {
			return &v1beta1.CompilationCacheConfig{PVCName: m.Name, MountPath: m.MountPoint}
		}
	}
	return nil
}

// plainMounts are those that are no compilation cache in v1beta1.
func plainMounts(mounts []v1alpha1.VolumeMount) []v1alpha1.VolumeMount {
	var plain []v1alpha1.VolumeMount
	cache := false
	for _, m := range mounts {
		switch {
		case m.UseAsCompilationCache && !cache:
			cache = true
		case m.MountPoint != "":
			plain = append(plain, m)
		}
	}
	return plain
}

func claimVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
	}}
}

// betaMounts writes a service's mounts as those of its main container, which win.
func betaMounts(mounts []v1alpha1.VolumeMount, main *corev1.Container, pod *corev1.PodSpec) {
	var wanted []corev1.VolumeMount
	for _, m := range plainMounts(mounts) {
		wanted = append(wanted, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPoint})
		if !has(pod.Volumes, volumeKey, m.Name) {
			pod.Volumes = append(pod.Volumes, claimVolume(m.Name))
		}
	}
	main.VolumeMounts = append(main.VolumeMounts, missing(wanted, main.VolumeMounts, mountKey)...)
}

// divideMounts gives back to a service the mounts that it had, where container and pod still have them
// as they came from it. own are volumes that the pod had besides; cache is the service's mount by now.
func divideMounts(had []v1alpha1.VolumeMount, own []corev1.Volume, cache []v1alpha1.VolumeMount, main *corev1.Container, pod *corev1.PodSpec) []v1alpha1.VolumeMount {
	var mounts []v1alpha1.VolumeMount
	marked, claimed := false, map[string]bool{}
	for _, m := range had {
		if m.UseAsCompilationCache && !marked {
			marked = true
			mounts = append(mounts, cache...)
			continue
		}
		// Without a cache, the next one that was marked must not become it.
		m.UseAsCompilationCache = m.UseAsCompilationCache && len(cache) > 0
		at := slices.Index(asComparable(main.VolumeMounts), mountID{m.Name, m.MountPoint, true})
		if at < 0 || !mountable(m.Name, own, pod) && !claimed[m.Name] {
			continue
		}
		main.VolumeMounts = slices.Delete(main.VolumeMounts, at, at+1)
		claimed[m.Name] = true
		if !has(own, volumeKey, m.Name) {
			pod.Volumes = slices.DeleteFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		}
		mounts = append(mounts, m)
	}
	if !marked {
		mounts = slices.Concat(cache, mounts)
	}
	return mounts
}

// mountable reports whether a pod has the volume that a service's mount would give it, or one of its own.
func mountable(name string, own []corev1.Volume, pod *corev1.PodSpec) bool {
	at := find(pod.Volumes, volumeKey, name)
	return at >= 0 && (has(own, volumeKey, name) || same(pod.Volumes[at], claimVolume(name)))
}

// mountID is a mount as far as a service can say it.
type mountID struct {
	name, path string
	plain      bool
}

func asComparable(mounts []corev1.VolumeMount) []mountID {
	var ids []mountID
	for _, m := range mounts {
		ids = append(ids, mountID{m.Name, m.MountPath, same(m, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath})})
	}
	return ids
}
