// Package workload is what can run the pods of a component. Each kind of
// workload is a folder here, and a line in the component's folder.
package workload

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Type is a kind of workload.
type Type interface {
	// Check returns why it cannot run a component, nil if it can.
	Check(*v1alpha1.DynamoComponentDeployment, render.Capabilities) error
	// Kinds are those of the objects of a Workload, as far as the cluster has them.
	Kinds(render.Capabilities) []client.Object
	// Rights on these kinds, in the namespace of the component.
	Rights(*config.OperatorConfiguration) []rbacv1.PolicyRule
	// Of is the workload among a component's rendered objects.
	Of(*render.ComponentObjects) Workload
}

// Workload runs the pods of one component.
type Workload interface {
	// Objects make the pods. Once applied, they are as the cluster has them.
	Objects() []client.Object
	// Observe says how the applied objects do.
	Observe(context.Context, Pods) (Observation, error)
}

// Pods is what a Workload can ask the cluster.
type Pods interface {
	// Matching are the pods with these labels in a namespace.
	Matching(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error)
	// Warnings are a pod's events of type Warning, as far as they have arrived.
	Warnings(context.Context, *corev1.Pod) ([]corev1.Event, error)
}

// Observation is how a workload does.
type Observation struct {
	Status v1alpha1.ServiceReplicaStatus
	// Selector picks the workload's pods.
	Selector map[string]string
	Ready    bool
	// Blocked: it will not become ready by waiting.
	Blocked bool
	// Starting: no pods of its are counted yet, and nothing is known to keep it from
	// making them.
	Starting bool
	// Message says how far it is and, if it is not ready, why.
	Message string
}

// Choose returns the first type that can run a component, or why none can: the
// reason of the last.
func Choose(types []Type, dcd *v1alpha1.DynamoComponentDeployment, cluster render.Capabilities) (Type, error) {
	var why error
	for _, candidate := range types {
		if why = candidate.Check(dcd, cluster); why == nil {
			return candidate, nil
		}
	}
	return nil, why
}
