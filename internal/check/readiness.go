package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/readiness"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var readinessIsSaidRight = Rule{
	ID:       "W-08",
	Severity: Error,
	Says:     "What a chart says about the readiness of its objects can be evaluated.",
	Why: "The annotation " + readiness.WhenAnnotation + " is an expression over the live object, self, that is true when it is ready. One that cannot be " +
		"evaluated would never be true, and its release would fail after the timeout.",
	Fix: "write an expression of type bool, such as self.status.phase == \"Ready\"",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, object := range objectsOf(in, rel) {
				if _, err := readiness.Of(object.Annotations); err != nil {
					problems = append(problems, fleet.Problem{Origin: rel.Origin, Message: fmt.Sprintf("release %s, %s: %s", rel.Key, object, err)})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\n  annotations:\n    wheelhouse.dev/ready-when: self.data.done = \"yes\"\n"),
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\n  annotations:\n    wheelhouse.dev/ready-when: self.data.done == \"yes\"\n"),
	}},
}
