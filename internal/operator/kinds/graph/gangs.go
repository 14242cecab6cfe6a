package graph

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// findGangs tells which services have groups whose pods are not scheduled as one.
// LeaderWorkerSet makes a PodGroup for each group, if its configuration says so,
// which nothing but the PodGroups shows.
func (l *life) findGangs(ctx context.Context) error {
	volcano := l.Cluster.Volcano && l.path.Name == render.PathLeaderWorkerSet
	loose := l.path.Loose
	if volcano && slices.ContainsFunc(loose, l.hasScheduler) {
		gangs, err := l.podGroups(ctx)
		if err != nil {
			return err
		}
		loose = slices.DeleteFunc(slices.Clone(loose), func(service string) bool {
			return l.hasScheduler(service) && l.areGangs(service, gangs)
		})
	}
	l.gangs(loose, volcano)
	return nil
}

// hasScheduler: that of Kubernetes knows no PodGroups.
func (l *life) hasScheduler(service string) bool {
	pod := l.dgd.Spec.Services[service].ExtraPodSpec
	return pod != nil && pod.PodSpec != nil && pod.SchedulerName != "" && pod.SchedulerName != corev1.DefaultSchedulerName
}

// podGroups are the numbers of groups that have one, by LeaderWorkerSet.
func (l *life) podGroups(ctx context.Context) (map[string]map[string]bool, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(render.PodGroups.WithKind("PodGroupList"))
	err := l.Live.List(ctx, list, client.InNamespace(l.dgd.Namespace), client.HasLabels{lwsv1.SetNameLabelKey})
	if err != nil && !meta.IsNoMatchError(err) && client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("list the PodGroups of namespace %s: %w", l.dgd.Namespace, err)
	}
	found := map[string]map[string]bool{}
	for _, group := range list.Items {
		set := group.Labels[lwsv1.SetNameLabelKey]
		if found[set] == nil {
			found[set] = map[string]bool{}
		}
		found[set][group.Labels[lwsv1.GroupIndexLabelKey]] = true
	}
	return found, nil
}

// areGangs: every group of a service has its PodGroup.
func (l *life) areGangs(service string, gangs map[string]map[string]bool) bool {
	return !slices.ContainsFunc(l.runs, func(object client.Object) bool {
		component, is := object.(*v1alpha1.DynamoComponentDeployment)
		return is && component.Spec.ServiceName == service && len(gangs[component.Name]) < int(component.Spec.DesiredReplicas())
	})
}
