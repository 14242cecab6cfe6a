package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var definitionsComeFirst = Rule{
	ID:       "C-29a",
	Severity: Warning,
	Says:     "CRDs in a crds/ folder must be in the cluster before what needs them: a release neither installs nor upgrades them.",
	Fix:      "apply them first: unpack the dependency's package and run `kubectl apply --server-side -f CHART/crds/`",
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
}
