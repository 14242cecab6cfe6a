package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Operator is one installation of the operator that the cluster has.
type Operator struct {
	// Release is the Helm release that owns it; its name is empty for an
	// operator that Helm did not install.
	Release fleet.Key `json:"release"`
	// Scope is "cluster" or "namespace".
	Scope string `json:"scope"`
	// Version is the version label of its Deployment.
	Version string `json:"version,omitempty"`
	// Found is the object by which it was recognised.
	Found string `json:"found"`
	// Leased says that only its marker Lease tells of it.
	Leased bool `json:"leased,omitempty"`
}

func (o Operator) String() string {
	if o.Release.Name == "" {
		return "an operator in namespace " + o.Release.Namespace
	}
	return "release " + o.Release.String()
}

// look is the command that shows a foreign operator.
func (o Operator) look() string {
	if o.Release.Name == "" {
		return fmt.Sprintf("kubectl -n %s get deployments,leases -l app.kubernetes.io/part-of=dynamo-operator", o.Release.Namespace)
	}
	return fmt.Sprintf("helm -n %s get manifest %s", o.Release.Namespace, o.Release.Name)
}

var noForeignOperator = Rule{
	ID:       "C-20",
	Severity: Error,
	Says:     "No operator outside the fleet serves what the fleet serves.",
	Why: "Two operators that reconcile the same graphs undo each other's work for ever, and admission webhooks of a cluster-wide operator also judge the " +
		"namespaces of restricted ones. Operators are recognised by the labels and the Helm release of their objects and by the Lease of a " +
		"restricted one, never by their names.",
	When:  isPlatform,
	Needs: []Fact{FactOperators},
	Live: func(in Input) (problems []fleet.Problem) {
		ours, home := map[fleet.Key]bool{}, map[string]bool{}
		for _, rel := range in.Set.Platforms() {
			ours[rel.Key], home[rel.Namespace] = true, true
		}
		for _, operator := range in.Cluster.Operators {
			// A Lease in a namespace of ours may be of our own that was just removed.
			if ours[operator.Release] || operator.Leased && home[operator.Release.Namespace] {
				continue
			}
			for _, rel := range in.Set.Platforms() {
				if mixedScopesAllowed(rel) || !conflict(rel, operator) {
					continue
				}
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("platform %s (scope %s) conflicts with %s (scope %s, found by %s)", rel.Key, rel.Scope, operator, operator.Scope, operator.Found),
					Fix:     "look at it with `" + operator.look() + "`; uninstall it, or add it to the fleet",
				})
				break
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "dynamo-system", Name: "dynamo"}, Scope: fleet.ScopeCluster, Version: "0.9.0", Found: "ClusterRole dynamo-dynamo-operator-manager-role",
		}}},
	}, {
		Fleet: "platforms: [{namespace: dynamo-system, scope: cluster}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-b"}, Scope: fleet.ScopeNamespace, Found: "Lease team-b/dynamo-operator-namespace-scope", Leased: true,
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{
			{Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}, Scope: fleet.ScopeCluster, Found: "ClusterRole of our own, which changes its scope"},
			{Release: fleet.Key{Namespace: "team-b", Name: "dynamo-platform"}, Scope: fleet.ScopeNamespace, Found: "Deployment team-b/dynamo-platform-dynamo-operator-controller-manager"},
		}},
	}},
}

// conflict: a cluster-wide operator tolerates no other, a restricted one no
// other in its namespace.
func conflict(rel fleet.Release, other Operator) bool {
	return rel.Scope == fleet.ScopeCluster || other.Scope == fleet.ScopeCluster || other.Release.Namespace == rel.Namespace
}
