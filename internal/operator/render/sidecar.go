package render

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// hasOwnFrontend reports whether each pod of a worker has a frontend.
func hasOwnFrontend(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
	return IsWorker(spec) && spec.Annotations[v1alpha1.AnnotationFrontendSidecar] != ""
}

// FrontendPort is where the frontend of a service listens: its main container, or
// the one beside its worker; 0 where there is none. envs are those of its graph.
func FrontendPort(service *v1alpha1.DynamoComponentDeploymentSharedSpec, envs []corev1.EnvVar) (int32, error) {
	switch {
	case service == nil:
		return 0, nil
	case service.ComponentType == v1alpha1.ComponentTypeFrontend:
		return ServerPort(service, envs)
	case !hasOwnFrontend(service) || service.ExtraPodSpec == nil || service.ExtraPodSpec.PodSpec == nil:
		return 0, nil
	}
	containers, name := service.ExtraPodSpec.Containers, service.Annotations[v1alpha1.AnnotationFrontendSidecar]
	at := slices.IndexFunc(containers, func(container corev1.Container) bool { return container.Name == name })
	if at < 0 {
		return 0, nil // said of the service
	}
	return ServerPort(asFrontend(&containers[at]), nil)
}

func asFrontend(container *corev1.Container) *v1alpha1.DynamoComponentDeploymentSharedSpec {
	return &v1alpha1.DynamoComponentDeploymentSharedSpec{
		ComponentType: v1alpha1.ComponentTypeFrontend,
		SharedMemory:  &v1alpha1.SharedMemorySpec{Disabled: true},
		ExtraPodSpec:  &v1alpha1.ExtraPodSpec{MainContainer: container},
	}
}

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
	sidecar.spec = asFrontend(&pod.Containers[at])
	sidecar.spec.DynamoNamespace = c.logicalNamespace
	sidecar.spec.Envs = generationEnv(sidecar.spec, c.object.Labels[v1alpha1.LabelWorkerHash])
	frontend, err := sidecar.mainContainer()
	if err != nil {
		return err
	}
	frontend.Name = name
	pod.Containers[at] = frontend
	return nil
}
