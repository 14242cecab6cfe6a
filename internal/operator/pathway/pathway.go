// Package pathway is how a graph can be run. Each way is a folder here, and a
// line in the graph's folder.
package pathway

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Pathway turns the services of a graph into objects, and what has become of
// these into a report per service. It is pure.
type Pathway interface {
	// Check returns how a graph goes this way, or why it cannot.
	Check(*v1alpha1.DynamoGraphDeployment, render.Capabilities) (render.Path, error)
	// Kinds are those of the objects. Whatever a graph owns of them belongs to
	// its pathway.
	Kinds() []client.Object
	// Rights on these kinds, in the namespace of the graph.
	Rights() []rbacv1.PolicyRule
	// Objects run the graph's services next.
	Objects(*v1alpha1.DynamoGraphDeployment, *config.OperatorConfiguration, Now) []client.Object
	// Observe reads objects of these kinds, as the cluster has them, by service.
	Observe([]client.Object) map[string]Service
}

// Now is what is known when a graph's objects are decided on.
type Now struct {
	// Objects that the graph has, of the pathway's kinds.
	Objects []client.Object
	// Restarts has the ids that services carry, see Service.
	Restarts map[string]string
	// Unseen says why the frontends would miss workers of an earlier spec, as far
	// as that can be known; "" if they would not.
	Unseen string
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
	// Restart is the id of the last restart that the service was told of, ""
	// for none. Its pods are replaced when it changes.
	Restart string
}

// Choose returns the first of ways that a graph can go, and how, or why it can
// go none: the reason of the last.
func Choose(ways []Pathway, dgd *v1alpha1.DynamoGraphDeployment, cluster render.Capabilities) (way Pathway, path render.Path, why error) {
	for _, way = range ways {
		if path, why = way.Check(dgd, cluster); why == nil {
			return way, path, nil
		}
	}
	return nil, render.Path{}, why
}
