package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var definitionsComeFirst = Rule{
	ID:       "C-29a",
	Severity: Warning,
	Says:     "CRDs in a crds/ folder must be in the cluster before what needs them: a release neither installs nor upgrades them.",
	Why: "Helm applies a crds/ folder when a release is installed and never again. Turned on by an upgrade, Grove would run without its kinds, and KAI's " +
		"objects would be refused because nobody knows their kind.",
	Fix: "apply them first: unpack the dependency's package and run `kubectl apply --server-side -f CHART/crds/`",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			c := in.Charts[rel.Chart]
			definitions, err := c.CRDs(rel.Overrides.PlainMap())
			if err != nil || len(definitions) == 0 {
				continue // what cannot be read fails to render, with its own message
			}
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
