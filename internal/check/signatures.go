package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const oursSigned = "registry.example.com/wheelhouse-dev/dynamo-operator:1.0.0"

var imagesAreSigned = Rule{
	ID:       "W-31",
	Severity: Error,
	Says:     "Images are signed by the keys that spec.signatures asks for.",
	Why: "`wheelhouse deps lock` looks for the signature of each image that an entry of spec.signatures covers, and writes digest and signature into wheelhouse.lock. They " +
		"are verified again, by the key alone, whenever the fleet is rendered. An image that is not there was never verified.",
	Fix: "`wheelhouse deps lock` looks for its signature in the registry",
	Find: func(in Input) []fleet.Problem {
		return signed(in, func(image, why string) string {
			if why == "" {
				return ""
			}
			return "image " + image + " " + why
		})
	},
	Fails: []Example{{
		Fleet:      "shared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]",
		Signatures: map[string]string{oursSigned: "is not in wheelhouse.lock, and keys/team.pub (fleet.yaml:5:12) asks for its signature"},
	}},
	Passes: []Example{
		{Fleet: "shared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]", Signatures: map[string]string{oursSigned: ""}},
		{Fleet: "platforms: [{namespace: team-a}]"},
	},
}

var signedImagesHaveDigests = Rule{
	ID:       "W-32",
	Severity: Warning,
	Says:     "An image that must be signed is named by its digest.",
	Why: "A signature is of a digest. Nodes ask the registry for what the pod names, and whoever can write there can move a tag after its signature was " +
		"verified: only what is pinned by digest is sure to be what was signed. It is a warning because few charts let every image be pinned.",
	Fix: "set the digest of the image in the values: wheelhouse.lock has the one whose signature was verified",
	Find: func(in Input) []fleet.Problem {
		return signed(in, func(image, _ string) string {
			if chart.PinnedDigest(image) != "" {
				return ""
			}
			return "image " + image + " is named by its tag, which can be moved to another image than the one whose signature was verified"
		})
	},
	Fails: []Example{{
		Fleet:      "shared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]",
		Signatures: map[string]string{oursSigned: ""},
	}},
	Passes: []Example{
		{
			Fleet:      fmt.Sprintf("shared: {registry: registry.example.com}\nvalues: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {digest: 'sha256:%064d'}}}}}}]\nplatforms: [{namespace: team-a}]", 7),
			Signatures: map[string]string{fmt.Sprintf("registry.example.com/wheelhouse-dev/dynamo-operator@sha256:%064d", 7): ""},
		},
		{Fleet: "shared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]"},
	},
}

// signed lists what is to be said of the images that must be signed, each once.
func signed(in Input, say func(image, why string) string) (problems []fleet.Problem) {
	if len(in.Signatures) == 0 {
		return nil
	}
	users := map[string][]fleet.Release{}
	for _, rel := range in.Set.Releases {
		if in.Rendered[rel.Key] == nil {
			continue
		}
		images, err := in.Rendered[rel.Key].AllImages()
		if err != nil {
			problems = append(problems, problem(rel.Origin, "release %s: %v", rel.Key, err))
		}
		for _, image := range images {
			users[image] = append(users[image], rel)
		}
	}
	for _, image := range slices.Sorted(maps.Keys(users)) {
		why, asked := in.Signatures[image]
		text := say(image, why)
		if !asked || text == "" {
			continue
		}
		first, others := users[image][0], ""
		if n := len(users[image]) - 1; n > 0 {
			others = fmt.Sprintf(" and %d more releases", n)
		}
		problems = append(problems, problem(first.Origin, "release %s%s: %s", first.Key, others, text))
	}
	return problems
}
