package render

import (
	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

// inOneWay is the graph with services that say all in the one way in which both
// versions of the API can: a service's own variables, secret, resources and
// mounts are its main container's. So a graph becomes the same objects whichever
// version it is written in, and changing from one to the other restarts nothing.
func inOneWay(dgd *v1alpha1.DynamoGraphDeployment, version Version) *v1alpha1.DynamoGraphDeployment {
	if version < Generations {
		return dgd
	}
	dgd = dgd.DeepCopy()
	for name, service := range dgd.Spec.Services {
		if service != nil {
			dgd.Spec.Services[name] = conversion.InOneWay(name, service)
		}
	}
	return dgd
}
