package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func imagePath(path ...string) []string {
	return append([]string{"dynamo-operator", "controllerManager", "manager", "image"}, path...)
}

var operatorIsOfItsChart = Rule{
	ID:       "C-35",
	Severity: Warning,
	Says:     "The operator's image is of the version of its chart.",
	Why: "Permissions, configuration file and CRDs belong to a version of the operator. An older one does not understand its configuration and does not start; " +
		"a newer one may lack a permission. It is a warning because a build of one's own has a tag of its own.",
	Fix:  "leave controllerManager.manager.image.tag empty, or set the digest of the build that you mean",
	When: isPlatform,
	Find: func(in Input) (problems []fleet.Problem) {
		version := in.Charts[fleet.ChartPlatform].AppVersion()
		for _, rel := range in.Set.Platforms() {
			tag := text(rel, imagePath("tag")...)
			if tag != "" && tag != version && version != "" && text(rel, imagePath("digest")...) == "" {
				problems = append(problems, problem(originOf(rel, imagePath("tag")...), "%s is %s, and the chart is made for %s",
					dotted(rel.Chart, imagePath("tag")), tag, version))
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {tag: 0.7.1}}}}}}]\nplatforms: [{namespace: team-a}]",
	}},
	Passes: []Example{
		{Fleet: "platforms: [{namespace: team-a}]"},
		{Fleet: fmt.Sprintf("values: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {tag: ours, digest: 'sha256:%064d'}}}}}}]\nplatforms: [{namespace: team-a}]", 7)},
	},
}
