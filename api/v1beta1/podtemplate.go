package v1beta1

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
)

// MainContainerName is the name of the container that runs the component.
const MainContainerName = "main"

// PodTemplate is the pod of a component, as in a Deployment. What it leaves open the platform fills in;
// a pod without a container named main gets one.
type PodTemplate struct {
	corev1.PodTemplateSpec `json:",inline"`
}

// MarshalJSON leaves out what is absent. Kubernetes' own types write some absent fields as null or
// empty; the API server refuses null on server-side apply, and would take empty for a change.
func (t PodTemplate) MarshalJSON() ([]byte, error) {
	// Fields of the outer struct win over those of the same name in the embedded one.
	type podSpec struct {
		corev1.PodSpec
		Containers []corev1.Container `json:"containers,omitempty"`
	}
	encoded := map[string]any{}
	meta, err := json.Marshal(t.ObjectMeta)
	if err != nil {
		return nil, err
	}
	if string(meta) != "{}" {
		encoded["metadata"] = json.RawMessage(meta)
	}
	spec, err := json.Marshal(podSpec{PodSpec: t.Spec, Containers: t.Spec.Containers})
	if err != nil {
		return nil, err
	}
	if string(spec) != "{}" {
		encoded["spec"] = json.RawMessage(spec)
	}
	return json.Marshal(encoded)
}

// Main returns the container that runs the component, nil if the template has none.
func (t *PodTemplate) Main() *corev1.Container {
	if t == nil {
		return nil
	}
	for i := range t.Spec.Containers {
		if t.Spec.Containers[i].Name == MainContainerName {
			return &t.Spec.Containers[i]
		}
	}
	return nil
}
