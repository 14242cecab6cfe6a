// Package deployment runs a component as a Deployment.
package deployment

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// Type implements workload.Type.
type Type struct{}

// Check implements workload.Type.
func (Type) Check(dcd *v1alpha1.DynamoComponentDeployment, cluster render.Capabilities) error {
	spec := &dcd.Spec.DynamoComponentDeploymentSharedSpec
	if spec.NodeCount() > 1 {
		return errors.New("a Deployment runs no groups of pods")
	}
	return render.CheckService(dcd.Name, spec, cluster)
}

// Kinds implements workload.Type.
func (Type) Kinds(render.Capabilities) []client.Object { return []client.Object{&appsv1.Deployment{}} }

// Rights implements workload.Type.
func (Type) Rights(*config.OperatorConfiguration) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{lifecycle.Rule("apps", "deployments", lifecycle.Full...)}
}

// Of implements workload.Type.
func (Type) Of(objects *render.ComponentObjects) workload.Workload {
	return running{objects.Deployment}
}

type running struct{ *appsv1.Deployment }

// Objects implements workload.Workload.
func (r running) Objects() []client.Object { return []client.Object{r.Deployment} }

// Observe implements workload.Workload.
func (r running) Observe(ctx context.Context, pods workload.Pods) (workload.Observation, error) {
	seen := workload.Observation{
		Selector: r.Spec.Selector.MatchLabels,
		Status: v1alpha1.ServiceReplicaStatus{
			ComponentKind:     v1alpha1.ComponentKindDeployment,
			ComponentName:     r.Name,
			Replicas:          r.Status.Replicas,
			UpdatedReplicas:   r.Status.UpdatedReplicas,
			ReadyReplicas:     &r.Status.ReadyReplicas,
			AvailableReplicas: &r.Status.AvailableReplicas,
		},
	}
	seen.Ready, seen.Message = diagnose.Deployment(r.Deployment)
	if seen.Ready {
		return seen, nil
	}
	cause, err := r.cause(ctx, pods, &seen)
	if cause != "" {
		seen.Message += ": " + cause
	}
	seen.Starting = cause == "" && r.Status.UpdatedReplicas == 0 && !r.Spec.Paused
	return seen, err
}

// cause names what the Deployment waits for, if that is known.
func (r running) cause(ctx context.Context, pods workload.Pods, seen *workload.Observation) (string, error) {
	all, err := pods.Matching(ctx, r.Namespace, r.Spec.Selector.MatchLabels)
	if err != nil {
		return "", err
	}
	finding, err := workload.Blame(ctx, pods, all)
	if err != nil {
		return "", err
	}
	if finding == nil {
		refused := diagnose.CannotCreatePods(r.Deployment)
		seen.Blocked = refused != ""
		return refused, nil
	}
	seen.Blocked = finding.NeedsAPerson()
	return finding.In(r.Deployment), nil
}
