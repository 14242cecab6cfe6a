package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// debuggerContainer is the sidecar of a service in debug mode.
const debuggerContainer = "debugger"

// addDebugger puts a container beside the main one that sees its processes and
// may trace them, for a service in debug mode.
func (c *component) addDebugger(pod *corev1.PodSpec) {
	if c.spec.Annotations[v1alpha1.AnnotationEnableDebugMode] != "true" {
		return
	}
	pod.ShareProcessNamespace = ptr.To(true)
	pod.Containers = append(pod.Containers, corev1.Container{
		Name:    debuggerContainer,
		Image:   c.config.Components.DebuggerImage,
		Command: []string{"sleep", "infinity"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("100Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1000Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}},
		},
	})
}
