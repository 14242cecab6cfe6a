// Package pathway is how a graph can be run. Each way is a folder here, and a
// line in the graph's folder.
package pathway

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// Pathway turns the services of a graph into objects, and what has become of
// these into a report per service.
type Pathway interface {
	// Runs reports whether a path of this name, see render.Path, is this way.
	Runs(path string) bool
	// Kinds are those of the objects, as far as the cluster has them. Whatever a
	// graph owns of them belongs to its pathway.
	Kinds(render.Capabilities) []client.Object
	// Rights that the way needs in the namespace of the graph.
	Rights(*config.OperatorConfiguration) []rbacv1.PolicyRule
	// Cached limits, by type, what is fetched of kinds that this way alone needs.
	Cached(render.Capabilities) map[client.Object]cache.ByObject
	// Watch adds what wakes graphs up besides Kinds.
	Watch(client.Reader, render.Capabilities, *builder.Builder)
	// Objects run the graph's services next. It fails where what there is cannot
	// become those.
	Objects(*v1alpha1.DynamoGraphDeployment, *config.OperatorConfiguration, Now) ([]client.Object, error)
	// Scale does what replicas need besides applied Objects.
	Scale(context.Context, client.Client, *v1alpha1.DynamoGraphDeployment) error
	// Observe reads objects of these kinds, as the cluster has them, by service.
	Observe(context.Context, Cluster, *v1alpha1.DynamoGraphDeployment, []client.Object) (map[string]Service, error)
}

// Cluster is what a Pathway can ask.
type Cluster struct {
	// Reader reads from the caches.
	client.Reader
	// Pods is nil where nobody asks why services are not ready.
	Pods workload.Pods
}

// Now is what is known when a graph's objects are decided on.
type Now struct {
	// Objects that the graph has, of the pathway's kinds.
	Objects []client.Object
	// Restarts has the ids that services carry, see Service.
	Restarts map[string]string
	// Checkpoints has the artifacts of those that services start from.
	Checkpoints map[string]string
	// Unseen says why the frontends would miss workers of an earlier spec, as far
	// as that can be known; "" if they would not.
	Unseen string
	// Cluster is what it has.
	Cluster render.Capabilities
}

// Service is how one service of a graph does.
type Service struct {
	// Status is nil as long as nothing was reported.
	Status *v1alpha1.ServiceReplicaStatus
	// Ready is believed only about the present spec. Message says why not.
	Ready   bool
	Message string
	// Blocked: waiting does not help, somebody has to act.
	Blocked bool
	// Refused: only a change of the spec helps.
	Refused bool
	// Former are replicas of an earlier spec that serve until those of the present
	// one do.
	Former int32
	// Formed: those of the present one are ready, beside the former.
	Formed bool
	// Starting: it has not reported yet.
	Starting bool
	// Restart is the id of the last restart that the service was told of, ""
	// for none. Its pods are replaced when it changes.
	Restart string
}

// Choose returns the one of ways that a graph goes, and how, or why it can go
// none. running is the path on which it runs already, "" for none.
func Choose(ways []Pathway, dgd *v1alpha1.DynamoGraphDeployment, cluster render.Capabilities, running string) (way Pathway, path render.Path, why error) {
	path, why = render.PathwayOf(dgd, cluster, running)
	if why != nil {
		return nil, render.Path{}, why
	}
	for _, way = range ways {
		if way.Runs(path.Name) {
			return way, path, nil
		}
	}
	return nil, render.Path{}, &render.UnsupportedError{Need: "nothing runs graphs by " + path.Name}
}
