// Package webhook answers admission requests of the API server: it refuses
// objects that the rules of their kind find wrong, and marks new graphs with the
// operator's version.
//
// What is wrong with an object by itself is refused. What the cluster lacks for
// it is a warning, because a cluster changes; the object's status says the same.
package webhook

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// MutateGraphs is the path of the webhook that marks new graphs.
const MutateGraphs = "/mutate-nvidia-com-v1alpha1-dynamographdeployment"

// ValidatePath is the path of the webhook that validates a kind, by the name of
// the kind's resource.
func ValidatePath(resource string) string {
	return "/validate-nvidia-com-v1alpha1-" + strings.TrimSuffix(resource, "s")
}

// Options are what the answers depend on besides the objects.
type Options struct {
	// Kinds are those that are asked about.
	Kinds  []lifecycle.Kind
	Scheme *runtime.Scheme
	// Serves reports whether a namespace is this operator's to serve. In
	// others everything is allowed.
	Serves func(ctx context.Context, namespace string) (bool, error)
	// OperatorUser is the name by which the API server knows the operator, such
	// as system:serviceaccount:NAMESPACE:NAME.
	OperatorUser string
	// Version of the operator, as semver.
	Version string
	// Cluster says what graphs can be deployed with by now.
	Cluster func() render.Capabilities
	// Config says what graphs may do.
	Config *config.OperatorConfiguration
	// Authors are asked about, where the configuration says so.
	Authors Authors
}

// Handlers returns the webhooks by path: one for each kind, and the mark.
func Handlers(o Options) map[string]*admission.Webhook {
	hooks := map[string]*admission.Webhook{MutateGraphs: {Handler: &versionMark{serves: o.Serves, version: o.Version}}}
	for _, kind := range o.Kinds {
		hooks[ValidatePath(kind.Resource)] = &admission.Webhook{Handler: &validator{Options: o, kind: kind}}
	}
	return hooks
}
