package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const nameASecret = `put it into a Secret and name that; if it is no credential, say so with the comment "# ` + fleet.NoCredential + `" on its line`

var credentialsByReference = Rule{
	ID:       "W-20",
	Severity: Error,
	Says:     "Credentials are not written into values: Helm keeps values readably in the release's record, and charts copy them into objects.",
	Fix:      nameASecret,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, found := range fleet.Credentials(rel.Overrides) {
				problems = append(problems, fleet.Problem{
					Origin:  found.Origin,
					Message: fmt.Sprintf("%s looks like %s", dotted(rel.Chart, found.Path), found.Why),
					Fix:     nameASecret,
				})
			}
		}
		return problems
	},
}
