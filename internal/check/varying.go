package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var renderingIsRepeatable = Rule{
	ID:       "W-24",
	Severity: Warning,
	Says:     "A release renders the same objects each time.",
	Why: "A chart that makes passwords, keys or certificates while it renders gives something else each time. Most of them look for what they made before and " +
		"keep it, so that it is random at the install alone: the plan then finds nothing to say, because it looks as well. Under `wheelhouse render`, and for " +
		"programs that apply what it prints, nothing is looked up, so that each export changes the object and restarts what depends on it.",
	Fix: "set what the chart would make up, most often the name of a Secret that exists; without that, leave the object to `wheelhouse apply`",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			if in.Rendered[rel.Key] == nil {
				continue
			}
			for _, varying := range in.Rendered[rel.Key].Varying {
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("release %s renders %s at random: it is another one each time, until it is there and the chart keeps it", rel.Key, varying),
					Fix: fmt.Sprintf("for %s: set what the chart would make up, most often the name of a Secret that exists; without that, leave the object to `wheelhouse apply`",
						varying.Object),
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		// Of charts that say that they are pure nobody looks whether they are.
		Files: map[string]string{
			"platform/charts/nats/Chart.yaml":           "apiVersion: v2\nname: nats\nversion: 1.3.2\n",
			"platform/charts/nats/templates/token.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {token: '{{ randAlphaNum 24 }}'}\n",
		},
	}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}
