package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var imagesAreInTheirRegistries = Rule{
	ID:       "W-22",
	Severity: Error,
	Says:     "Every image is in its registry.",
	Why: "A pod whose image cannot be pulled waits until somebody looks, and the release that it belongs to with it. `wheelhouse validate --images` asks the " +
		"registries for every image that the fleet runs, with the credentials of this machine: nodes may have others.",
	Fix: "if the registry answers, correct registry, repository, tag or digest of the image, or copy it there; if it cannot be reached, mend the network, the name or the credentials first",
	Find: func(in Input) (problems []fleet.Problem) {
		if in.Images == nil {
			return nil
		}
		users := map[string][]fleet.Release{}
		for _, rel := range in.Set.Releases {
			if in.Rendered[rel.Key] == nil {
				continue
			}
			images, err := in.Rendered[rel.Key].RunImages()
			if err != nil {
				problems = append(problems, problem(rel.Origin, "release %s: %v", rel.Key, err))
			}
			for _, image := range images {
				users[image] = append(users[image], rel)
			}
		}
		for _, image := range slices.Sorted(maps.Keys(users)) {
			if in.Images[image] == "" {
				continue
			}
			first, others := users[image][0], ""
			if n := len(users[image]) - 1; n > 0 {
				others = fmt.Sprintf(" and %d more releases", n)
			}
			problems = append(problems, problem(first.Origin, "release %s%s cannot run: %s", first.Key, others, in.Images[image]))
		}
		return problems
	},
	Fails: []Example{{
		Fleet:  "shared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]",
		Images: map[string]string{"registry.example.com/wheelhouse-dev/dynamo-operator:1.0.0": "image registry.example.com/wheelhouse-dev/dynamo-operator:1.0.0: not found in the registry"},
	}},
	Passes: []Example{
		{Fleet: "platforms: [{namespace: team-a}]", Images: map[string]string{}},
		{Fleet: "platforms: [{namespace: team-a}]"},
	},
}
