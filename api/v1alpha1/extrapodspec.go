package v1alpha1

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
)

// ExtraPodSpec is merged onto the generated pod.
type ExtraPodSpec struct {
	*corev1.PodSpec `json:",inline"`

	// MainContainer is merged onto the generated main container. Its name may be left out.
	MainContainer *corev1.Container `json:"mainContainer,omitempty"`
}

// MarshalJSON leaves out what is absent. Kubernetes' own types write some absent fields as null or
// empty; the API server refuses null on server-side apply, and would take empty for a change.
func (s ExtraPodSpec) MarshalJSON() ([]byte, error) {
	// Fields of the outer struct win over those of the same name in the embedded one.
	type container struct {
		*corev1.Container
		Name      string                      `json:"name,omitempty"`
		Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	}
	var encoded struct {
		*corev1.PodSpec
		Containers    []corev1.Container `json:"containers,omitempty"`
		MainContainer *container         `json:"mainContainer,omitempty"`
	}
	encoded.PodSpec = s.PodSpec
	if s.PodSpec != nil {
		encoded.Containers = s.Containers
	}
	if c := s.MainContainer; c != nil {
		encoded.MainContainer = &container{Container: c, Name: c.Name, Resources: c.Resources}
	}
	return json.Marshal(encoded)
}
