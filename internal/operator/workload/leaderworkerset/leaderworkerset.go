// Package leaderworkerset runs a component over several nodes: each replica is
// a group of pods, of which the first leads.
package leaderworkerset

import (
	"context"
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/sshkeys"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// Type implements workload.Type.
type Type struct{}

// Check implements workload.Type.
func (Type) Check(dcd *v1alpha1.DynamoComponentDeployment, cluster render.Capabilities) error {
	spec := &dcd.Spec.DynamoComponentDeploymentSharedSpec
	if err := render.CheckService(dcd.Name, spec, cluster); err != nil {
		return err
	}
	if spec.NodeCount() < 2 {
		return errors.New("a LeaderWorkerSet runs groups of pods")
	}
	return nil
}

// Kinds implements workload.Type.
func (Type) Kinds(cluster render.Capabilities) []client.Object {
	if !cluster.LeaderWorkerSets {
		return nil
	}
	return []client.Object{&lwsv1.LeaderWorkerSet{}}
}

// Rights implements workload.Type. They are there before the API is, which is
// noticed without a restart.
func (Type) Rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	if !cfg.Orchestrators.LeaderWorkerSet.Enabled {
		return nil
	}
	return []rbacv1.PolicyRule{
		lifecycle.Rule(lwsv1.GroupVersion.Group, "leaderworkersets", lifecycle.Full...),
		// LeaderWorkerSet makes them.
		lifecycle.Rule(render.PodGroups.Group, "podgroups", "list"),
		sshkeys.Rule(),
	}
}

// Of implements workload.Type.
func (Type) Of(objects *render.ComponentObjects) workload.Workload {
	return running{objects.LeaderWorkerSet, objects.Service.Spec.Selector}
}

type running struct {
	*lwsv1.LeaderWorkerSet
	// leaders picks the pods that count as replicas.
	leaders map[string]string
}

// Objects implements workload.Workload.
func (r running) Objects() []client.Object { return []client.Object{r.LeaderWorkerSet} }

// Observe implements workload.Workload.
func (r running) Observe(ctx context.Context, pods workload.Pods) (workload.Observation, error) {
	all, err := pods.Matching(ctx, r.Namespace, map[string]string{v1alpha1.LabelSelector: r.Name})
	if err != nil {
		return workload.Observation{}, err
	}
	groups := diagnose.GroupsOf(r.LeaderWorkerSet, all)
	seen := workload.Observation{
		Selector: r.leaders,
		Status: v1alpha1.ServiceReplicaStatus{
			ComponentKind:   v1alpha1.ComponentKindLeaderWorkerSet,
			ComponentName:   r.Name,
			Replicas:        groups.Present,
			UpdatedReplicas: groups.Updated,
			ReadyReplicas:   &groups.Ready,
		},
	}
	seen.Ready, seen.Message = groups.Done(), groups.String()
	if seen.Ready {
		return seen, nil
	}
	cause, err := cause(ctx, pods, groups, &seen)
	if cause != "" {
		seen.Message = fmt.Sprintf("%s: %s", seen.Message, cause)
	}
	return seen, err
}

// cause names what the groups wait for.
func cause(ctx context.Context, pods workload.Pods, groups diagnose.Groups, seen *workload.Observation) (string, error) {
	finding, err := workload.Blame(ctx, pods, groups.Newest)
	if err != nil || finding == nil {
		return groups.Missing(), err
	}
	seen.Blocked = finding.NeedsAPerson()
	return finding.String(), nil
}
