package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var onePlatformPerNamespace = Rule{
	ID:       "C-38",
	Severity: Error,
	Says:     "A namespace holds one platform: its objects have fixed names.",
	Why: "The marker Lease, the planner's ServiceAccount and the webhook's Secret have the same name in every release. A second release in the namespace " +
		"fails on ownership, or shares a certificate that it does not own.",
	Fix: "give each platform a namespace of its own",
	Find: func(in Input) (problems []fleet.Problem) {
		first := map[string]fleet.Release{}
		for _, rel := range in.Set.Platforms() {
			if other, taken := first[rel.Namespace]; taken {
				problems = append(problems, problem(rel.Origin, "namespace %s already has a platform, see %s", rel.Namespace, other.Origin))
				continue
			}
			first[rel.Namespace] = rel
		}
		return problems
	},
	Fails:  []Example{{Fleet: "platforms:\n  - {namespace: team-a}\n  - {namespace: team-a, release: second}"}},
	Passes: []Example{{Fleet: "platforms:\n  - {namespace: team-a}\n  - {namespace: team-b}"}},
}

var scopesDoNotMix = Rule{
	ID:       "C-19",
	Severity: Error,
	Says:     "A cluster has either one cluster-wide operator or only namespace-restricted ones.",
	Why: "A second operator that sees the same namespace reconciles the same graphs: both write, and the result changes from second to second. " +
		"`namespaceRestriction.allowMixedScopes` exists for the one migration that needs both for a while.",
	Fix: "keep one platform with scope: cluster, or give every platform scope: namespace",
	Find: func(in Input) (problems []fleet.Problem) {
		var wide *fleet.Release
		for _, rel := range in.Set.Platforms() {
			if rel.Scope == fleet.ScopeCluster && !mixedScopesAllowed(rel) {
				wide = &rel
				break
			}
		}
		if wide == nil {
			return nil
		}
		for _, rel := range in.Set.Platforms() {
			if rel.Key == wide.Key || mixedScopesAllowed(rel) {
				continue
			}
			what := "is restricted to its namespace"
			if rel.Scope == fleet.ScopeCluster {
				what = "is cluster-wide too"
			}
			problems = append(problems, fleet.Problem{
				Origin: rel.Origin,
				Message: fmt.Sprintf("platform %s %s, but platform %s (%s) is cluster-wide: both would reconcile the same objects",
					rel.Key, what, wide.Key, wide.Origin),
			})
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "platforms:\n  - {namespace: dynamo-system, scope: cluster}\n  - {namespace: team-a}"},
		{Fleet: "platforms:\n  - {namespace: dynamo-system, scope: cluster}\n  - {namespace: other, scope: cluster}"},
	},
	Passes: []Example{
		{Fleet: "platforms: [{namespace: dynamo-system, scope: cluster}]"},
		{Fleet: "platforms: [{namespace: team-a}, {namespace: team-b}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {namespaceRestriction: {allowMixedScopes: true}}}}]\nplatforms: [{namespace: dynamo-system, scope: cluster}, {namespace: team-a}]"},
	},
}

// mixedScopesAllowed is the documented override for moving a cluster from one
// scope to the other.
func mixedScopesAllowed(rel fleet.Release) bool {
	return isTrue(rel.Values.At("dynamo-operator", "namespaceRestriction", "allowMixedScopes"))
}

var scopeIsStatedOnce = Rule{
	ID:       "W-02",
	Severity: Error,
	Says:     "A platform's scope is stated in the fleet file, not in its values.",
	Why:      "Two places that say different things would install an operator of a scope that the fleet's other checks did not see.",
	Fix:      "remove the key from the values and set the platform's scope",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			v := rel.Values.At("dynamo-operator", "namespaceRestriction", "enabled")
			if v == nil {
				continue
			}
			// The scope overrides what profiles and the fleet's values say.
			for _, stated := range append(slices.Clone(v.Overrode), fleet.Candidate{Value: v.Plain(), Origin: v.Origin}) {
				if stated.Origin.Layer == fleet.LayerDefaults || stated.Value == nil || stated.Value == (rel.Scope == fleet.ScopeNamespace) {
					continue
				}
				problems = append(problems, problem(stated.Origin, "namespaceRestriction.enabled is %s, but platform %s (%s) has scope: %s",
					asJSON(stated.Value), rel.Key, rel.Origin, rel.Scope))
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "platforms:\n  - namespace: team-a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {enabled: false}}}}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {namespaceRestriction: {enabled: true}}}}]\nplatforms: [{namespace: dynamo-system, scope: cluster}]"},
	},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a, scope: namespace}]"}},
}

var restrictionStaysHome = Rule{
	ID:       "C-21",
	Severity: Error,
	Says:     "A restricted operator serves the namespace that it is installed in.",
	Why:      "Its Role, its Lease, its webhooks and the accounts of what it runs are in the release's namespace. Split over two, some of them watch the wrong one.",
	Fix:      "remove namespaceRestriction.targetNamespace",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			path := []string{"dynamo-operator", "namespaceRestriction", "targetNamespace"}
			target := text(rel, path...)
			if target == "" || target == rel.Namespace {
				continue
			}
			problems = append(problems, problem(originOf(rel, path...), "targetNamespace is %q, but the platform is installed in %s", target, rel.Namespace))
		}
		return problems
	},
	Fails:  []Example{{Fleet: "platforms:\n  - namespace: team-a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: team-z}}}}]"}},
	Passes: []Example{{Fleet: "platforms:\n  - namespace: team-a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: team-a}}}}]"}},
}
