package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

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
	Why: "The second release fails on ownership half-way through, or takes the object over and removes it from the first. Names of cluster-scoped objects " +
		"are compared over the whole fleet; objects that others have in the cluster are found by the plan.",
	Fix: "give the releases different names, or turn the shared part off in one of them",
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
	Fails: []Example{{
		Fleet: "platforms:\n  - {namespace: team-a}\n  - {namespace: team-b}",
		Files: renders("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: inference}\nvalue: 1000\n"),
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {enabled: true}}}}]\nplatforms:\n  - {namespace: team-a}\n  - {namespace: team-b}",
		Files: renders("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: 'inference-{{ .Release.Namespace }}'}\nvalue: 1000\n"),
	}},
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
