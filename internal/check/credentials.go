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
	Why: "Whoever may read the release's Secret reads the password, and so does everybody who sees the file, the diff of a pull request or a " +
		"`helm get values`. A Secret that the values name is read by the pod that needs it and by nobody else.",
	Fix: nameASecret,
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
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {natsAddr: 'nats://admin:s3cr3tPassw0rd@nats.example.com:4222'}}}]\nplatforms: [{namespace: team-a}]",
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {imagePullSecrets: [{name: registry-credentials}]}}}]\nplatforms: [{namespace: team-a}]",
	}},
}
