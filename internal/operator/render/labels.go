package render

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// directives are annotations by which a user speaks to the operator. They stay
// off the pods, where a change would only cause a needless rollout.
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
}

// selector picks the component's pods, of all revisions.
func (c *component) selector() map[string]string {
	return map[string]string{v1alpha1.LabelSelector: c.object.Name}
}

// systemLabels say what a pod or object is; users cannot override them.
func (c *component) systemLabels() map[string]string {
	labels := c.selector()
	set := func(key, value string) {
		if value != "" {
			labels[key] = value
		}
	}
	set(v1alpha1.LabelGraphDeploymentName, c.graph)
	set(v1alpha1.LabelComponent, c.service)
	set(v1alpha1.LabelNamespace, c.logicalNamespace)
	set(v1alpha1.LabelComponentType, c.spec.ComponentType)
	set(v1alpha1.LabelSubComponentType, c.spec.SubComponentType)
	if c.spec.ModelRef != nil {
		set(v1alpha1.LabelBaseModelHash, ModelHash(c.spec.ModelRef.Name))
	}
	if c.spec.Annotations[v1alpha1.AnnotationEnableMetrics] != "false" {
		set(v1alpha1.LabelMetricsEnabled, "true")
	}
	return labels
}

// ModelHash is the label value by which the pods of a base model are found.
func ModelHash(model string) string {
	sum := sha256.Sum256([]byte(model))
	return hex.EncodeToString(sum[:])[:8]
}

// objectMeta is that of the Deployment, the Service and the Ingress.
func (c *component) objectMeta() metav1.ObjectMeta {
	annotations := mergeMaps(c.spec.Annotations, c.extraPodMetadata().Annotations)
	if c.spec.ModelRef != nil {
		annotations = mergeMaps(annotations, map[string]string{v1alpha1.AnnotationBaseModel: c.spec.ModelRef.Name})
	}
	delete(annotations, v1alpha1.AnnotationRestartAt)
	return metav1.ObjectMeta{
		Name:        c.object.Name,
		Namespace:   c.object.Namespace,
		Annotations: annotations,
		Labels:      mergeMaps(c.spec.Labels, c.systemLabels(), managedBy()),
	}
}

func (c *component) podMeta(sidecars bool) metav1.ObjectMeta {
	annotations := maps.Clone(c.spec.Annotations)
	for _, directive := range directives {
		delete(annotations, directive)
	}
	if sidecars {
		annotations = mergeMaps(map[string]string{"kubectl.kubernetes.io/default-container": v1alpha1.MainContainerName}, annotations)
	}
	extra := c.extraPodMetadata()
	return metav1.ObjectMeta{
		Annotations: mergeMaps(annotations, extra.Annotations),
		Labels:      mergeMaps(c.spec.Labels, extra.Labels, c.systemLabels()),
	}
}

func (c *component) extraPodMetadata() v1alpha1.ExtraPodMetadata {
	if c.spec.ExtraPodMetadata == nil {
		return v1alpha1.ExtraPodMetadata{}
	}
	return *c.spec.ExtraPodMetadata
}

func managedBy() map[string]string {
	return map[string]string{ManagedByLabel: Manager}
}
