package check

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var definitionsComeFirst = Rule{
	ID:       "C-29a",
	Severity: Note,
	Says:     "CRDs in a crds/ folder must be in the cluster before what needs them: a release neither installs nor upgrades them.",
	Why: "Helm applies a crds/ folder when a release is installed and never again. Turned on by an upgrade, Grove would run without its kinds, and KAI's " +
		"objects would be refused because nobody knows their kind. The manager applies them as a step of its own, once per cluster, before the releases " +
		"that need them, and refuses to take what belongs to somebody else or to go back to an older version.",
	Fix: "`wheelhouse apply` applies them first; with plain Helm, unpack the dependency's package and run `kubectl apply --server-side -f CHART/crds/`",
	Find: func(in Input) (problems []fleet.Problem) {
		told := map[string]bool{} // once, not once per tenant
		for _, rel := range in.Set.Releases {
			c := in.Charts[rel.Chart]
			definitions, err := c.CRDs(rel.Overrides.PlainMap())
			if err != nil || len(definitions) == 0 || told[definitions[0].Name] {
				continue // what cannot be read fails to render, with its own message
			}
			told[definitions[0].Name] = true
			problems = append(problems, fleet.Problem{
				Origin: rel.Origin,
				Message: fmt.Sprintf("release %s turns on a dependency with %d CRDs of its own, such as %s, which are not part of the release",
					rel.Key, len(definitions), definitions[0].Name),
			})
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {grove: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
		Files: map[string]string{
			"platform/charts/grove-charts/Chart.yaml":              "apiVersion: v2\nname: grove-charts\nversion: v0.1.0-alpha.6\n",
			"platform/charts/grove-charts/crds/podcliquesets.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: podcliquesets.grove.io}\n",
		},
	}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}

var definitionsAreNewEnough = Rule{
	ID:       "C-34",
	Severity: Error,
	Says:     "The CRDs are at least as new as every operator that uses them.",
	Why: "The API server drops fields that a definition does not know. An operator of a newer version would write them in vain and believe that they are " +
		"there. The manager applies CRDs before and apart from the operators, and removes them last.",
	Fix:   "use the CRD chart of the operator's version, or newer, under spec.charts.crds",
	Needs: []Fact{FactOperators},
	Find: func(in Input) []fleet.Problem {
		crds, operator := in.Charts[fleet.ChartCRDs], in.Charts[fleet.ChartPlatform]
		if crds == nil || operator == nil || !older(crds.AppVersion(), operator.AppVersion()) {
			return nil
		}
		return []fleet.Problem{problem(in.Set.Releases[0].Origin, "the CRDs are of version %s, and the operator is of version %s", crds.AppVersion(), operator.AppVersion())}
	},
	Live: func(in Input) (problems []fleet.Problem) {
		version := in.Charts[fleet.ChartCRDs].AppVersion()
		for _, o := range in.Cluster.Operators {
			if o.Proven && older(version, o.Version) {
				problems = append(problems, problem(in.Set.Releases[0].Origin, "the CRDs are of version %s, and %s runs an operator of version %s (found by %s)", version, o, o.Version, o.Found))
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: map[string]string{"crds/Chart.yaml": "apiVersion: v2\nname: dynamo-crds\nversion: 0.9.0\nappVersion: 0.9.0\n"},
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}, Scope: fleet.ScopeNamespace, Version: "99.0.0", Found: "Role team-a/x", Proven: true,
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Operators: []Operator{{
			Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}, Scope: fleet.ScopeNamespace, Version: "0.9.0", Found: "Deployment team-a/x",
		}}},
	}},
}

// older reports whether a version is older than another, as far as both are
// versions.
func older(a, b string) bool {
	x, errX := semver.NewVersion(a)
	y, errY := semver.NewVersion(b)
	return errX == nil && errY == nil && x.LessThan(y)
}

// annotationLimit is how long all annotations of an object may be together. A
// client-side apply writes the whole object into one.
const annotationLimit = 256 << 10

var definitionsFitAnyTool = Rule{
	ID:       "C-41",
	Severity: Warning,
	Says:     "Every CRD is small enough for tools that apply on the client's side.",
	Why: "`kubectl apply` and GitOps tools without server-side apply write the whole object into an annotation, which may hold 256 KiB. Our own definitions stay " +
		"below it, because the descriptions of Kubernetes' own types are left out. The manager applies on the server's side in any case, hence a warning.",
	Fix: "apply it with `kubectl apply --server-side`, or with ServerSideApply=true in Argo CD",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, o := range objectsOf(in, rel) {
				// JSON without blanks is shorter than the YAML, so most need no look.
				if o.Kind != "CustomResourceDefinition" || len(o.Content) < annotationLimit {
					continue
				}
				data, err := o.JSON()
				if err == nil && len(data) > annotationLimit {
					problems = append(problems, problem(rel.Origin, "release %s renders %s of %d KiB", rel.Key, o, len(data)>>10))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: map[string]string{
			"crds/templates/giants.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: giants.example.com}\nspec:\n" +
				"  group: example.com\n  names: {kind: Giant, plural: giants}\n  scope: Namespaced\n  versions:\n    - name: v1\n      served: true\n      storage: true\n" +
				"      schema:\n        openAPIV3Schema:\n          type: object\n          description: " + strings.Repeat("very ", annotationLimit/5) + "long\n",
		},
	}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}
