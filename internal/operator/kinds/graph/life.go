// Package graph runs DynamoGraphDeployments: it turns the services of a graph
// into what runs them, with the claims and the access that these need, and
// reports on them as one.
package graph

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// life is one look at a graph.
type life struct {
	*lifecycle.Visit
	*status

	// scaled is the graph with the replicas that its scaling adapters say.
	scaled *v1alpha1.DynamoGraphDeployment
	// way is how the graph is run, and path what was decided of it.
	way  pathway.Pathway
	path render.Path
	// runs are the objects that run it, as the cluster has them.
	runs []client.Object
	// restores has the artifacts of the checkpoints that services start from.
	restores map[string]string
	// unseen says why workers of an earlier spec are kept, "" for nothing.
	unseen string
}

func begin(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
	return &life{Visit: visit, status: statusOf(object.(*v1alpha1.DynamoGraphDeployment))}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{
		l.choosePathway, l.checkMessaging, l.ensureClaims, l.applyAccess, l.applyPicker, l.ensureAdapters, l.findCheckpoints, l.ensureKeys, l.run, l.observe, l.countStarts,
	}
}

// choosePathway refuses, before anything is created, what would end half-made.
func (l *life) choosePathway(ctx context.Context) error {
	running, err := l.running(ctx)
	if err != nil {
		return err
	}
	way, path, err := pathway.Choose(pathways, l.dgd, l.Cluster, running)
	var unsupported *render.UnsupportedError
	switch {
	case errors.As(err, &unsupported) && unsupported.MissingAPI != "":
		l.noPathway(running, err.Error())
		return lifecycle.Refuse(unsupported.MissingAPI, err.Error())
	case err != nil:
		return lifecycle.Refuse(reasonUnsupported, err.Error())
	case render.HasPlanner(l.dgd) && l.Config.ClusterWide() && l.Config.RBAC.PlannerClusterRoleName == "":
		return lifecycle.Refuse(reasonUnsupported, "the graph has a planner, and the operator's configuration lacks rbac.plannerClusterRoleName")
	case render.HasPicker(l.dgd) && l.Config.ClusterWide() && l.Config.RBAC.EPPClusterRoleName == "":
		return lifecycle.Refuse(reasonUnsupported, "the graph has an endpoint picker, and the operator's configuration lacks rbac.eppClusterRoleName")
	}
	l.way, l.path = way, path
	l.pathway(path)
	return nil
}

// running is the path on which the graph runs already, "" for none. A status that
// was lost, or is of an older operator, is made good by what is there.
func (l *life) running(ctx context.Context) (string, error) {
	if chosen := render.ChosenPath(l.dgd); chosen != "" {
		return chosen, nil
	}
	for _, path := range []string{render.PathGrove, render.PathDeployment} {
		for _, way := range pathways {
			if !way.Runs(path) {
				continue
			}
			existing, err := l.Apply.Children(ctx, l.dgd, way.Kinds(l.Cluster)...)
			if err != nil || len(existing) > 0 {
				return path, err
			}
		}
	}
	return "", nil
}

// checkMessaging tells of services that miss NATS. They may run all the same, so
// whether the graph is ready is another matter.
func (l *life) checkMessaging(context.Context) error {
	l.messaging(render.MissingNATS(l.dgd, l.Config.Infrastructure.NATSAddress))
	return nil
}

// run applies what runs the services and removes what no longer does. A restart
// goes on from the ids that the services carry.
func (l *life) run(ctx context.Context) error {
	if err := l.leaveOthers(ctx); err != nil {
		return err
	}
	kinds := l.way.Kinds(l.Cluster)
	existing, err := l.Apply.Children(ctx, l.dgd, kinds...)
	if err != nil {
		return err
	}
	seen, err := l.way.Observe(ctx, pathway.Cluster{Reader: l.Client}, l.scaled, existing)
	if err != nil {
		return err
	}
	services := slices.Sorted(maps.Keys(l.dgd.Spec.Services))
	progress, ids := restart(l.dgd, services, seen)
	l.dgd.Status.Restart = progress
	if l.unseen, err = l.missed(ctx, seen); err != nil {
		return err
	}
	now := pathway.Now{Objects: existing, Restarts: ids, Checkpoints: l.restores, Unseen: l.unseen, Cluster: l.Cluster}
	if l.runs, err = l.way.Objects(l.scaled, l.Config, now); err != nil {
		return lifecycle.Refuse(reasonUnsupported, err.Error())
	}
	err = l.Apply.Sync(ctx, l.dgd, l.runs, kinds...)
	if apply.Refused(err) {
		l.LookAgain(lifecycle.AfterRefusal)
		return lifecycle.Refuse(v1alpha1.ReasonValidationFailed, err.Error())
	}
	if err == nil && l.Cluster.Grove {
		err = l.Apply.Prune(ctx, l.dgd, servicesFor(l.runs), &corev1.Service{})
	}
	if err != nil {
		return err
	}
	return l.way.Scale(ctx, l.Client, l.scaled)
}

// servicesFor are the Services that what runs the graph has, or will take over
// from another way. The others lead nowhere.
func servicesFor(runs []client.Object) []client.Object {
	var services []client.Object
	for _, object := range runs {
		services = append(services, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}})
	}
	return services
}

// leaveOthers deletes what ran the graph on another way.
func (l *life) leaveOthers(ctx context.Context) error {
	for _, way := range pathways {
		if way == l.way {
			continue
		}
		if err := l.Apply.Prune(ctx, l.dgd, nil, way.Kinds(l.Cluster)...); err != nil {
			return err
		}
	}
	return nil
}

// observe takes over what the services report.
func (l *life) observe(ctx context.Context) error {
	if err := l.findGangs(ctx); err != nil {
		return err
	}
	cluster := pathway.Cluster{Reader: l.Client, Pods: workload.PodsOf(l.Client)}
	services, err := l.way.Observe(ctx, cluster, l.scaled, l.runs)
	if err != nil {
		return err
	}
	for name, service := range services {
		if service.Formed && l.unseen != "" {
			service.Message += ": " + l.unseen
			services[name] = service
		}
	}
	if l.dgd.Status.State != "" && onlyStart(services) {
		l.MoreSoon()
	}
	l.services(services)
	return nil
}

// onlyStart: something has not reported yet, and nothing needs a person, who shall not
// wait for that.
func onlyStart(services map[string]pathway.Service) (starting bool) {
	for _, service := range services {
		if service.Blocked || service.Refused {
			return false
		}
		starting = starting || service.Starting
	}
	return starting
}

func missingClaims(names []string) string {
	subject := "PersistentVolumeClaim " + names[0] + " does"
	if len(names) > 1 {
		subject = "PersistentVolumeClaims " + strings.Join(names, ", ") + " do"
	}
	return subject + " not exist: create it, or set create: true with size and volumeAccessMode in spec.pvcs"
}
