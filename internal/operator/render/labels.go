package render

import (
	"crypto/sha256"
	"encoding/hex"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// selector picks the component's pods, of all revisions.
func (c *component) selector() map[string]string {
	return map[string]string{v1alpha1.LabelSelector: c.object.Name}
}

// servingPods picks those of the component's pods that can be asked: of a group
// the leader.
func (c *component) servingPods() map[string]string {
	if c.spec.NodeCount() > 1 {
		return mergeMaps(c.selector(), map[string]string{roleLabel: roleLeader})
	}
	return c.selector()
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
	if hasOwnFrontend(c.spec) {
		// By these the plug-ins of published endpoint pickers know workers.
		set(v1alpha1.LabelComponentClass, v1alpha1.ClassWorker)
		set(v1alpha1.LabelComponentType, c.spec.SubComponentType)
	}
	set(v1alpha1.LabelWorkerHash, c.object.Labels[v1alpha1.LabelWorkerHash])
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

// objectMeta is that of the Deployment, the Service and the Ingress, with those
// of the user's annotations that the kind may have.
func (c *component) objectMeta(annotations map[string]string) metav1.ObjectMeta {
	if c.spec.ModelRef != nil {
		annotations = mergeMaps(annotations, map[string]string{v1alpha1.AnnotationBaseModel: c.spec.ModelRef.Name})
	}
	return metav1.ObjectMeta{
		Name:        c.object.Name,
		Namespace:   c.object.Namespace,
		Annotations: annotations,
		Labels:      mergeMaps(free(c.spec.Labels), c.systemLabels(), managedBy()),
	}
}

func (c *component) podMeta(sidecars bool) metav1.ObjectMeta {
	extra := c.extraPodMetadata()
	annotations := mergeMaps(free(c.spec.Annotations), free(extra.Annotations), c.pickerAnnotations())
	if sidecars {
		annotations = mergeMaps(map[string]string{"kubectl.kubernetes.io/default-container": v1alpha1.MainContainerName}, annotations)
	}
	if restart, ok := c.spec.Annotations[v1alpha1.AnnotationRestartAt]; ok {
		annotations = mergeMaps(annotations, map[string]string{v1alpha1.AnnotationRestartAt: restart})
	}
	return metav1.ObjectMeta{
		Annotations: annotations,
		Labels:      mergeMaps(free(c.spec.Labels), free(extra.Labels), c.systemLabels()),
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
