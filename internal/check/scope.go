package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var onePlatformPerNamespace = Rule{
	ID:       "C-38",
	Severity: Error,
	Says:     "A namespace holds one platform and is served by one: their objects have fixed names.",
	Why: "The marker Lease, the planner's ServiceAccount and the webhook's Secret have the same name in every release. A second release in the namespace " +
		"fails on ownership, or shares a certificate that it does not own.",
	Fix: "give each platform a namespace of its own, and one to serve that no other serves",
	Find: func(in Input) (problems []fleet.Problem) {
		home, served := map[string]fleet.Release{}, map[string]fleet.Release{}
		for _, rel := range in.Set.Platforms() {
			if other, taken := home[rel.Namespace]; taken {
				problems = append(problems, problem(rel.Origin, "namespace %s already has a platform, see %s", rel.Namespace, other.Origin))
				continue
			}
			home[rel.Namespace] = rel
			if other, taken := served[rel.Serves]; taken && rel.Serves != "" {
				problems = append(problems, problem(rel.Origin, "namespace %s is already served by platform %s, see %s", rel.Serves, other.Key, other.Origin))
				continue
			}
			served[rel.Serves] = rel
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "platforms:\n  - {namespace: team-a}\n  - {namespace: team-a, release: second}"},
		{Fleet: "platforms:\n  - {namespace: one, serves: team-a}\n  - {namespace: two, serves: team-a}"},
	},
	Passes: []Example{
		{Fleet: "platforms:\n  - {namespace: team-a}\n  - {namespace: team-b}"},
		{Fleet: "platforms:\n  - {namespace: team-a-platform, serves: team-a}\n  - {namespace: team-b-platform, serves: team-b}"},
	},
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

var targetIsStatedOnce = Rule{
	ID:       "C-21",
	Severity: Error,
	Says:     "Which namespace a platform serves is stated in the fleet file, not in its values.",
	Why: "The namespace is made, checked and cleared by what the fleet file says. An operator whose values name another one would serve graphs that nobody " +
		"counts, and two operators might serve one namespace.",
	Fix: "remove the key from the values, and set `serves` of the platform",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			path := []string{"dynamo-operator", "namespaceRestriction", "targetNamespace"}
			v := rel.Values.At(path...)
			if v == nil {
				continue
			}
			for _, stated := range append(slices.Clone(v.Overrode), fleet.Candidate{Value: v.Plain(), Origin: v.Origin}) {
				target, _ := stated.Value.(string)
				if target == "" || target == rel.Serves {
					continue
				}
				problems = append(problems, problem(stated.Origin, "targetNamespace is %q, but platform %s (%s) serves %s", target, rel.Key, rel.Origin, servedText(rel)))
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "platforms:\n  - namespace: team-a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: team-z}}}}]"},
		{Fleet: "platforms:\n  - {namespace: team-a-platform, serves: team-a}\nvalues: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: team-z}}}}]"},
	},
	Passes: []Example{
		{Fleet: "platforms:\n  - namespace: team-a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: team-a}}}}]"},
		{Fleet: "platforms: [{namespace: team-a-platform, serves: team-a}]"},
	},
}

// servedText says what a platform's operator serves.
func servedText(rel fleet.Release) string {
	if rel.Serves == "" {
		return "every namespace"
	}
	return "namespace " + rel.Serves
}

var platformsLiveApart = Rule{
	ID:       "W-27",
	Severity: Note,
	Says:     "A platform lives beside the namespace that it serves.",
	Why: "Whoever may edit a namespace, as the ClusterRole `edit` lets a team, reads its Secrets, mints tokens of its ServiceAccounts and runs programs in " +
		"its pods. A platform in that namespace belongs to them: the operator's rights, the key of its webhooks, the records that it is rolled back to, and, " +
		"with checkpoints, the agent, which therefore has nothing of its node there. All of it stays within the namespace. In a namespace of its own, which only " +
		"administrators can edit, it is out of reach. It is a note because a team may be its own administrator.",
	Fix:  "give the platform a namespace of its own: {namespace: TEAM-platform, serves: TEAM}",
	When: isPlatform,
	Find: func(in Input) (problems []fleet.Problem) {
		var together []fleet.Release
		for _, rel := range in.Set.Platforms() {
			if rel.Serves == rel.Namespace {
				together = append(together, rel)
			}
		}
		if len(together) == 0 {
			return nil
		}
		first := together[0]
		message := fmt.Sprintf("whoever may edit namespace %s has the rights of the platform in it, and reads the key of its webhooks", first.Namespace)
		if more := len(together) - 1; more > 0 {
			message += fmt.Sprintf(" (and %d more of the fleet's platforms)", more)
		}
		p := problem(first.Origin, "%s", message)
		p.Fix = fmt.Sprintf("give the platform a namespace of its own: {namespace: %s-platform, serves: %s}", first.Namespace, first.Namespace)
		return append(problems, p)
	},
	Fails: []Example{
		{Fleet: "platforms: [{namespace: team-a}]"},
		{Fleet: "platforms: [{namespace: team-a}, {namespace: team-b}]"},
	},
	Passes: []Example{
		{Fleet: "platforms: [{namespace: team-a-platform, serves: team-a}]"},
		{Fleet: "platforms: [{namespace: dynamo-system, scope: cluster}]"},
	},
}
