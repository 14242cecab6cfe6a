package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var dependenciesAtHand = Rule{
	ID:       "W-01",
	Severity: Error,
	Says:     "A dependency that is turned on must be at hand.",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			c := in.Charts[rel.Chart]
			for _, missing := range c.Missing(rel.Values.PlainMap()) {
				problems = append(problems, fleet.Problem{
					Origin: originOf(rel, splitPath(missing.Condition)...),
					Message: fmt.Sprintf("release %s turns on %s, but chart %s does not carry %s",
						rel.Key, missing.Condition, c, missing),
					Fix: fmt.Sprintf("fetch it with `wheelhouse deps pull`, or turn %s off", missing.Condition),
				})
			}
		}
		return problems
	},
}

var onePlatformPerNamespace = Rule{
	ID:       "C-38",
	Severity: Error,
	Says:     "A namespace holds one platform: its objects have fixed names.",
	Fix:      "give each platform a namespace of its own",
	Find: func(in Input) (problems []fleet.Problem) {
		first := map[string]fleet.Release{}
		for _, rel := range in.Set.Platforms() {
			if other, taken := first[rel.Namespace]; taken {
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("namespace %s already has a platform, see %s", rel.Namespace, other.Origin),
				})
				continue
			}
			first[rel.Namespace] = rel
		}
		return problems
	},
}

var scopesDoNotMix = Rule{
	ID:       "C-19",
	Severity: Error,
	Says:     "A cluster has either one cluster-wide operator or only namespace-restricted ones.",
	Fix:      "keep one platform with scope: cluster, or give every platform scope: namespace",
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
	Fix:      "remove the key from the values and set the platform's scope",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			v := rel.Values.At("dynamo-operator", "namespaceRestriction", "enabled")
			if v == nil || isTrue(v) == (rel.Scope == fleet.ScopeNamespace) {
				continue
			}
			problems = append(problems, fleet.Problem{
				Origin: v.Origin,
				Message: fmt.Sprintf("namespaceRestriction.enabled is %v, but platform %s (%s) has scope: %s",
					v.Plain(), rel.Key, rel.Origin, rel.Scope),
			})
		}
		return problems
	},
}

var restrictionStaysHome = Rule{
	ID:       "C-21",
	Severity: Error,
	Says:     "A restricted operator serves the namespace that it is installed in.",
	Fix:      "remove namespaceRestriction.targetNamespace",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			v := rel.Values.At("dynamo-operator", "namespaceRestriction", "targetNamespace")
			target, _ := v.Plain().(string)
			if target == "" || target == rel.Namespace {
				continue
			}
			problems = append(problems, fleet.Problem{
				Origin:  v.Origin,
				Message: fmt.Sprintf("targetNamespace is %q, but the platform is installed in %s", target, rel.Namespace),
			})
		}
		return problems
	},
}

var natsIsInstalledWhereAnnounced = announced("C-15", "nats", "natsAddr")

var etcdIsInstalledWhereAnnounced = announced("C-16", "etcd", "etcdAddr")

// announced builds the rule that workloads are only told about a bundled
// service that is installed, or about an address that was given.
func announced(id, service, address string) Rule {
	return Rule{
		ID:       id,
		Severity: Error,
		Says:     fmt.Sprintf("Workloads are told about %s only where it is installed or an address is given.", service),
		Find: func(in Input) (problems []fleet.Problem) {
			for _, rel := range in.Set.Platforms() {
				told := rel.Values.At("dynamo-operator", service, "enabled")
				given, _ := rel.Values.At("dynamo-operator", address).Plain().(string)
				if !isTrue(told) || given != "" || isTrue(rel.Values.At(service, "enabled")) {
					continue
				}
				problems = append(problems, fleet.Problem{
					Origin: told.Origin,
					Message: fmt.Sprintf("platform %s tells its workloads about %s (dynamo-operator.%s.enabled), but does not install it (%s.enabled) and names no address",
						rel.Key, service, service, service),
					Fix: fmt.Sprintf("set %s.enabled, or dynamo-operator.%s, or turn dynamo-operator.%s.enabled off", service, address, service),
				})
			}
			return problems
		},
	}
}

func isTrue(v *fleet.Value) bool {
	on, _ := v.Plain().(bool)
	return on
}

// originOf points at a value of a release, or as near as there is one.
func originOf(rel fleet.Release, path ...string) fleet.Origin {
	if v := rel.Values.Nearest(path...); v != nil && v.Origin != (fleet.Origin{}) {
		return v.Origin
	}
	return rel.Origin
}
