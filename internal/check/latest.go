package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const whyVersions = "Behind the tag latest, and behind no tag at all, is another image tomorrow: a pod that is replaced runs something else than its neighbour, and " +
	"no rollback brings the old image back. "

var imagesHaveVersions = Rule{
	ID:       "W-25",
	Severity: Warning,
	Says:     "Images have the tag of a release, or a digest.",
	Why:      whyVersions + "Guides that build from source use latest, so it is a warning; with the profile prod it is an error (W-26).",
	Fix:      "set the tag of a release, or the digest, of this image",
	Find:     func(in Input) []fleet.Problem { return unversioned(in, false) },
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {tag: latest}}}}}}]\nplatforms: [{namespace: team-a}]",
	}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}

var productionImagesHaveVersions = Rule{
	ID:       "W-26",
	Severity: Error,
	Says:     "With the profile prod, images have the tag of a release, or a digest.",
	Why:      whyVersions + "Without the profile it is a warning (W-25).",
	Fix:      "set the tag of a release, or the digest, of this image",
	Find:     func(in Input) []fleet.Problem { return unversioned(in, true) },
	Fails: []Example{{
		Fleet: "profiles: [prod]\nvalues: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {tag: latest}}}}}}]\nplatforms: [{namespace: team-a}]",
	}},
	Passes: []Example{{Fleet: "profiles: [prod]\nplatforms: [{namespace: team-a}]"}},
}

func unversioned(in Input, production bool) (problems []fleet.Problem) {
	if slices.Contains(in.Set.Profiles, "prod") != production {
		return nil
	}
	for _, rel := range in.Set.Releases {
		if in.Rendered[rel.Key] == nil {
			continue
		}
		images, err := in.Rendered[rel.Key].Images()
		if err != nil {
			continue // W-21 and W-22 say so
		}
		for _, image := range images {
			// A reference without a tag is one to latest.
			if ref, err := name.ParseReference(image); err == nil && ref.Identifier() == "latest" {
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("release %s runs %s, which is another image tomorrow", rel.Key, image),
					Fix:     "set the tag of a release, or the digest, of " + strings.TrimSuffix(image, ":latest"),
				})
			}
		}
	}
	return problems
}
