package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// labelKinds are kinds whose names must be DNS labels, at most 63 long;
// names of all other kinds may have 253.
var labelKinds = []string{"Service", "Namespace"}

var objectNamesFit = Rule{
	ID:       "C-27",
	Severity: Error,
	Says:     "Names of rendered objects fit into what Kubernetes accepts.",
	Fix:      "choose a shorter release name",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, object := range objectsOf(in, rel) {
				limit := 253
				if slices.Contains(labelKinds, object.Kind) {
					limit = 63
				}
				if len(object.Name) > limit {
					problems = append(problems, fleet.Problem{
						Origin:  rel.Origin,
						Message: fmt.Sprintf("release %s renders %s with a name of %d characters, %d are allowed: %s", rel.Key, object.Kind, len(object.Name), limit, object.Name),
					})
				}
			}
		}
		return problems
	},
}

// clusterKinds are the cluster-scoped kinds that charts render.
var clusterKinds = []string{
	"APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass",
	"MutatingWebhookConfiguration", "Namespace", "PersistentVolume", "PriorityClass", "Queue",
	"RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	"ValidatingWebhookConfiguration",
}

// ClusterScoped reports whether a kind is known to live outside namespaces.
func ClusterScoped(kind string) bool { return slices.Contains(clusterKinds, kind) }

var objectsAreUnique = Rule{
	ID:       "C-22",
	Severity: Error,
	Says:     "No two releases render the same object.",
	Fix:      "give the releases different names, or turn the shared part off in one of them",
	Find: func(in Input) (problems []fleet.Problem) {
		type identity struct{ group, kind, namespace, name string }
		owners := map[identity]fleet.Release{}
		for _, rel := range in.Set.Releases {
			for _, object := range objectsOf(in, rel) {
				id := identity{group: object.Group(), kind: object.Kind, namespace: namespaceOf(object, rel), name: object.Name}
				other, taken := owners[id]
				if !taken {
					owners[id] = rel
					continue
				}
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("release %s renders %s, which release %s (%s) renders as well", rel.Key, object, other.Key, other.Origin),
				})
			}
		}
		return problems
	},
}

func objectsOf(in Input, rel fleet.Release) []chart.Object {
	rendered := in.Rendered[rel.Key]
	if rendered == nil {
		return nil
	}
	return rendered.Objects
}

func namespaceOf(object chart.Object, rel fleet.Release) string {
	switch {
	case ClusterScoped(object.Kind):
		return ""
	case object.Namespace != "":
		return object.Namespace
	default:
		return rel.Namespace
	}
}
