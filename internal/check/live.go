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
		return fmt.Sprintf("kubectl -n %s get deployments -l app.kubernetes.io/part-of=dynamo-operator", o.Release.Namespace)
	}
	return fmt.Sprintf("helm -n %s get manifest %s", o.Release.Namespace, o.Release.Name)
}

var noForeignOperator = Rule{
	ID:       "C-20",
	Severity: Error,
	Says:     "No operator outside the fleet serves what the fleet serves.",
	Find: func(in Input) (problems []fleet.Problem) {
		ours := map[fleet.Key]bool{}
		for _, rel := range in.Set.Platforms() {
			ours[rel.Key] = true
		}
		for _, operator := range in.Operators {
			if ours[operator.Release] {
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
}

// conflict: a cluster-wide operator tolerates no other, a restricted one no
// other in its namespace.
func conflict(rel fleet.Release, other Operator) bool {
	return rel.Scope == fleet.ScopeCluster || other.Scope == fleet.ScopeCluster || other.Release.Namespace == rel.Namespace
}
