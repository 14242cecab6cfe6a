package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	// Serves is the namespace that a restricted one serves.
	Serves string `json:"serves,omitempty"`
	// Proven says that the object by which it was recognised is none that the
	// editor of a namespace can write: a ClusterRole, or a Role. Whatever else
	// looks like an operator may be anybody's.
	Proven bool `json:"proven,omitempty"`
}

func (o Operator) String() string {
	if o.Release.Name == "" {
		return "an operator in namespace " + o.Release.Namespace
	}
	return "release " + o.Release.String()
}

// look is the command that shows a foreign operator.
func (o Operator) look() string {
	switch {
	case !o.Proven:
		kind, name, _ := strings.Cut(o.Found, " ")
		_, name, _ = strings.Cut(name, "/")
		return fmt.Sprintf("kubectl -n %s get %s %s -o yaml", o.Release.Namespace, strings.ToLower(kind), name)
	case o.Release.Name == "":
		return fmt.Sprintf("kubectl get clusterroles,roles -A -l %s", OperatorSelector)
	default:
		return fmt.Sprintf("helm -n %s get manifest %s", o.Release.Namespace, o.Release.Name)
	}
}

// OperatorSelector finds the objects of an operator.
const OperatorSelector = "app.kubernetes.io/part-of=dynamo-operator"

var noForeignOperator = Rule{
	ID:       "C-20",
	Severity: Error,
	Says:     "No operator outside the fleet serves what the fleet serves.",
	Why: "Two operators that reconcile the same graphs undo each other's work for ever, and admission webhooks of a cluster-wide operator also judge the " +
		"namespaces of restricted ones. An operator is recognised by the roles that let it write graphs, with their labels and their Helm release, " +
		"never by names: nobody who may merely edit a namespace can write a role. What else looks like an operator is W-29's.",
	When:  isPlatform,
	Needs: []Fact{FactOperators},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rival := range rivals(in, true) {
			problems = append(problems, fleet.Problem{
				Origin: rival.rel.Origin,
				Message: fmt.Sprintf("platform %s (scope %s) conflicts with %s (scope %s, found by %s)",
					rival.rel.Key, rival.rel.Scope, rival.operator, rival.operator.Scope, rival.operator.Found),
				Fix: "look at it with `" + rival.operator.look() + "`; uninstall it, or add it to the fleet",
			})
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "dynamo-system", Name: "dynamo"}, Scope: fleet.ScopeCluster, Version: "0.9.0", Proven: true, Found: "ClusterRole dynamo-dynamo-operator-manager-role",
		}}},
	}, {
		Fleet: "platforms: [{namespace: dynamo-system, scope: cluster}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-b", Name: "dynamo"}, Serves: "team-b", Scope: fleet.ScopeNamespace, Proven: true, Found: "Role team-b/dynamo-dynamo-operator-manager-role",
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{
			{Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}, Scope: fleet.ScopeCluster, Proven: true, Found: "ClusterRole of our own, which changes its scope"},
			{Release: fleet.Key{Namespace: "team-b", Name: "dynamo-platform"}, Serves: "team-b", Scope: fleet.ScopeNamespace, Proven: true, Found: "Role team-b/dynamo-platform-dynamo-operator-manager-role"},
			{Release: fleet.Key{Namespace: "team-a"}, Serves: "team-a", Scope: fleet.ScopeNamespace, Found: "Deployment team-a/whatever-a-tenant-calls-so"},
		}},
	}},
}

var operatorsAreVouchedFor = Rule{
	ID:       "W-29",
	Severity: Warning,
	Says:     "What looks like an operator is one.",
	Why: "Labels, annotations and Leases can be written by everybody who may edit a namespace, so a Deployment or a marker Lease alone proves no operator, " +
		"and stops no rollout. It may be one that runs without a role of its own, or a leftover, or a mistake, or a trick: somebody should look.",
	When:  isPlatform,
	Needs: []Fact{FactOperators, FactInstallations},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rival := range rivals(in, false) {
			problems = append(problems, fleet.Problem{
				Origin:  rival.rel.Origin,
				Message: fmt.Sprintf("%s looks like an operator beside platform %s, but no role lets it write graphs", rival.operator.Found, rival.rel.Key),
				Fix:     "look at it with `" + rival.operator.look() + "`; if it is no operator, delete it",
			})
		}
		for _, found := range in.Cluster.Installations {
			if !found.Proven {
				problems = append(problems, fleet.Problem{
					Message: fmt.Sprintf("%s looks like %s, but nothing of the cluster's is bound to its namespace", found.Found, found.Program),
					Fix:     "look at it with `" + found.look() + "`; if it is not, delete it",
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: dynamo-system, scope: cluster}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-b"}, Serves: "team-b", Scope: fleet.ScopeNamespace, Found: "Lease team-b/dynamo-operator-namespace-scope",
		}}},
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Installations: []Installation{{
			Program: ProgramKAI, Release: fleet.Key{Namespace: "team-b"}, Found: "Deployment team-b/kai-operator",
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-b"}, Serves: "team-b", Scope: fleet.ScopeNamespace, Found: "Deployment team-b/of-another-namespace",
		}}},
	}},
}

// rival is an operator that does not get on with a platform of the fleet.
type rival struct {
	rel      fleet.Release
	operator Operator
}

// rivals are operators outside the fleet, each with the first platform that it
// does not get on with.
func rivals(in Input, proven bool) (out []rival) {
	ours, home := map[fleet.Key]bool{}, map[string]bool{}
	for _, rel := range in.Set.Platforms() {
		ours[rel.Key], home[cmp.Or(rel.Serves, rel.Namespace)] = true, true
	}
	for _, operator := range in.Cluster.Operators {
		// A Lease in a namespace of ours may be of our own that was just removed.
		leftover := strings.HasPrefix(operator.Found, "Lease ") && home[operator.Serves]
		if operator.Proven != proven || ours[operator.Release] || leftover {
			continue
		}
		for _, rel := range in.Set.Platforms() {
			if !mixedScopesAllowed(rel) && conflict(rel, operator) {
				out = append(out, rival{rel, operator})
				break
			}
		}
	}
	return out
}

// conflict: a cluster-wide operator tolerates no other, a restricted one no
// other in its namespace, nor in the one that it serves.
func conflict(rel fleet.Release, other Operator) bool {
	return rel.Scope == fleet.ScopeCluster || other.Scope == fleet.ScopeCluster || slices.Contains(rel.Namespaces(), other.Serves)
}
