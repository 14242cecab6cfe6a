package render

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// addFrontend completes the container that the author calls a frontend of the
// component's own: it gets what the main container of a frontend gets.
func (c *component) addFrontend(pod *corev1.PodSpec) error {
	name := c.spec.Annotations[v1alpha1.AnnotationFrontendSidecar]
	if name == "" {
		return nil
	}
	at := slices.IndexFunc(pod.Containers, func(container corev1.Container) bool { return container.Name == name })
	if at < 0 || name == v1alpha1.MainContainerName {
		return fmt.Errorf("service %s: there is no container %s beside the main one to be its frontend", c.service, name)
	}
	sidecar := *c
	sidecar.kind, sidecar.engine = typeOf(v1alpha1.ComponentTypeFrontend), ""
	sidecar.spec = &v1alpha1.DynamoComponentDeploymentSharedSpec{
		ComponentType: v1alpha1.ComponentTypeFrontend,
		SharedMemory:  &v1alpha1.SharedMemorySpec{Disabled: true},
		ExtraPodSpec:  &v1alpha1.ExtraPodSpec{MainContainer: &pod.Containers[at]},
	}
	frontend, err := sidecar.mainContainer()
	if err != nil {
		return err
	}
	frontend.Name = name
	pod.Containers[at] = frontend
	return nil
}
