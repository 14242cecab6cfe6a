package grove

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// Observe implements pathway.Pathway.
func (Pathway) Observe(ctx context.Context, cluster pathway.Cluster, dgd *v1alpha1.DynamoGraphDeployment, objects []client.Object) (map[string]pathway.Service, error) {
	services := map[string]pathway.Service{}
	set := setAmong(objects)
	if set == nil {
		return services, nil
	}
	ids := carried(set)
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service, err := observe(ctx, cluster, dgd, set, ids[name], name)
		if err != nil {
			return nil, err
		}
		services[name] = service
	}
	return services, nil
}

func observe(ctx context.Context, cluster pathway.Cluster, dgd *v1alpha1.DynamoGraphDeployment, set *grove.PodCliqueSet, restart, name string) (pathway.Service, error) {
	hash := templateOf(set, name)
	counted, err := count(ctx, cluster, dgd, name, hash)
	if err != nil {
		return pathway.Service{}, err
	}
	counted.Heard = counted.Heard && set.Status.ObservedGeneration != nil && *set.Status.ObservedGeneration >= set.Generation
	service := pathway.Service{Status: status(counted), Ready: counted.Done(), Message: counted.String(), Restart: restart}
	if service.Ready || cluster.Pods == nil {
		return service, nil
	}
	all, err := cluster.Pods.Matching(ctx, dgd.Namespace, map[string]string{v1alpha1.LabelSelector: render.ComponentName(dgd.Name, name)})
	if err != nil {
		return service, err
	}
	finding, err := workload.Blame(ctx, cluster.Pods, newest(all, hash))
	if err != nil {
		return service, err
	}
	cause := counted.Missing(set)
	if finding != nil {
		cause, service.Blocked = finding.String(), finding.NeedsAPerson()
	}
	if cause != "" {
		service.Message += ": " + cause
	}
	return service, nil
}

func status(c diagnose.Counted) *v1alpha1.ServiceReplicaStatus {
	s := &v1alpha1.ServiceReplicaStatus{
		ComponentKind: v1alpha1.ComponentKind(c.Kind), ComponentName: c.Name, Replicas: c.Present, UpdatedReplicas: c.Updated,
	}
	if s.ComponentKind == v1alpha1.ComponentKindPodCliqueScalingGroup {
		s.AvailableReplicas = &c.Ready
	} else {
		s.ReadyReplicas = &c.Ready
	}
	return s
}

// templateOf is the hash of the templates of a service's pods.
func templateOf(set *grove.PodCliqueSet, service string) string {
	for _, clique := range set.Spec.Template.Cliques {
		if clique.Labels[v1alpha1.LabelComponent] == service {
			return clique.Labels[render.TemplateLabel]
		}
	}
	return ""
}

// newest are the pods of a template; all, if there are none.
func newest(pods []corev1.Pod, hash string) []corev1.Pod {
	ofTemplate := slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool { return pod.Labels[render.TemplateLabel] != hash })
	if len(ofTemplate) == 0 {
		return pods
	}
	return ofTemplate
}

func count(ctx context.Context, cluster client.Reader, dgd *v1alpha1.DynamoGraphDeployment, name, hash string) (diagnose.Counted, error) {
	counted, kind := diagnose.Counted{}, v1alpha1.ComponentKindPodClique
	if dgd.Spec.Services[name].NodeCount() > 1 {
		kind = v1alpha1.ComponentKindPodCliqueScalingGroup
	}
	object, _, err := scaledBy(ctx, cluster, dgd, name)
	if err != nil {
		return counted, err
	}
	switch object := object.(type) {
	case *grove.PodClique:
		counted = diagnose.CountClique(object, hash)
	case *grove.PodCliqueScalingGroup:
		var cliques grove.PodCliqueList
		if err := cluster.List(ctx, &cliques, client.InNamespace(dgd.Namespace), client.MatchingLabels{grove.LabelScalingGroup: object.Name}); err != nil {
			return counted, fmt.Errorf("list the PodCliques of %s/%s: %w", dgd.Namespace, object.Name, err)
		}
		counted = diagnose.CountGroups(object, cliques.Items, hash)
	}
	counted.Kind, counted.Name, counted.Wanted = string(kind), render.GroveName(dgd.Name, name), dgd.Spec.Services[name].DesiredReplicas()
	if counted.Exists && dgd.Spec.Services[name].Replicas == nil {
		counted.Wanted = counted.Asked
	}
	return counted, nil
}

// scaledBy is what Grove has made of a service and what is scaled, and its
// replicas; nil if it is not there yet.
func scaledBy(ctx context.Context, cluster client.Reader, dgd *v1alpha1.DynamoGraphDeployment, name string) (scaled client.Object, replicas int32, err error) {
	key := client.ObjectKey{Namespace: dgd.Namespace, Name: render.GroveName(dgd.Name, name)}
	clique, group := &grove.PodClique{}, &grove.PodCliqueScalingGroup{}
	if dgd.Spec.Services[name].NodeCount() > 1 {
		err = cluster.Get(ctx, key, group)
		scaled, replicas = group, group.Spec.Replicas
	} else {
		err = cluster.Get(ctx, key, clique)
		scaled, replicas = clique, clique.Spec.Replicas
	}
	if apierrors.IsNotFound(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read %s/%s of Grove: %w", key.Namespace, key.Name, err)
	}
	return scaled, replicas, nil
}
