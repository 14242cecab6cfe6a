package render

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// directives are annotations by which a user speaks to the operator, those of
// published operators that this one has no use for included. They are read and
// go no further: on a pod, a change would only cause a needless rollout.
var directives = []string{
	v1alpha1.AnnotationEnableGrove,
	v1alpha1.AnnotationDiscoveryBackend,
	v1alpha1.AnnotationKaiSchedulerQueue,
	v1alpha1.AnnotationEnableMetrics,
	v1alpha1.AnnotationDisableImagePullSecretDiscovery,
	v1alpha1.AnnotationOperatorOriginVersion,
	v1alpha1.AnnotationDeploymentStrategy,
	v1alpha1.AnnotationRollingUpdateMaxSurge,
	v1alpha1.AnnotationRollingUpdateMaxUnavailable,
	v1alpha1.AnnotationEnableDebugMode,
	v1alpha1.AnnotationFrontendSidecar,
	v1alpha1.AnnotationMinAvailable,
}

// reservedDomains are those of the labels and annotations by which the platform
// and Helm know their own objects, and by which Services of theirs find pods.
var reservedDomains = []string{
	"nvidia.com", "dgdr.nvidia.com", "app.kubernetes.io", "meta.helm.sh", "helm.sh", "wheelhouse.dev",
}

// Reserved reports whether a label or annotation is the platform's or Helm's.
// One that a user writes reaches no object.
func Reserved(key string) bool {
	domain, _, qualified := strings.Cut(key, "/")
	return qualified && slices.Contains(reservedDomains, domain)
}

// IsDirective reports whether a user speaks to the operator by this annotation.
func IsDirective(annotation string) bool { return slices.Contains(directives, annotation) }

// free is what of a user's labels or annotations may reach objects.
func free(metadata map[string]string) map[string]string {
	kept := maps.Clone(metadata)
	maps.DeleteFunc(kept, func(key, _ string) bool { return Reserved(key) })
	return mergeMaps(kept)
}

// allowed is what of them may reach objects that controllers beyond the
// namespace obey: Services, Ingresses, VirtualServices and HTTPRoutes.
func (c *component) allowed(annotations map[string]string) map[string]string {
	kept := free(annotations)
	maps.DeleteFunc(kept, func(key, _ string) bool { return !c.config.Ingress.AllowsAnnotation(key) })
	return mergeMaps(kept)
}

// freeClaims does the same for the claims that live as long as their pod.
func freeClaims(volumes []corev1.Volume) {
	for _, volume := range volumes {
		if volume.Ephemeral != nil && volume.Ephemeral.VolumeClaimTemplate != nil {
			meta := &volume.Ephemeral.VolumeClaimTemplate.ObjectMeta
			meta.Labels, meta.Annotations = free(meta.Labels), free(meta.Annotations)
		}
	}
}
