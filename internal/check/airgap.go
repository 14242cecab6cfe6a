package check

import (
	"fmt"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var imagesComeFromTheMirror = Rule{
	ID:       "W-21",
	Severity: Error,
	Says:     "On a site without a network every image comes from the site's registry.",
	Why: "A node without a way to the registry of an image waits for it until somebody looks. The profile air-gapped sets global.airGapped, and then each " +
		"image that is rendered must start with global.imageRegistry, which shared.registry sets for all charts.",
	Fix:  "set spec.shared.registry, and the image's own key where a third-party chart has one",
	When: airGapped,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			if !airGapped(rel) || in.Rendered[rel.Key] == nil {
				continue
			}
			registry, _ := rel.Values.At("global", "imageRegistry").Plain().(string)
			if registry == "" {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, "global", "airGapped"),
					Message: fmt.Sprintf("release %s is for a site without a network, and no registry of the site is named", rel.Key),
					Fix:     "set spec.shared.registry",
				})
				continue
			}
			problems = append(problems, elsewhere(in, rel, strings.TrimSuffix(registry, "/")+"/")...)
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "profiles: [air-gapped]\nplatforms: [{namespace: team-a}]"},
		{
			Fleet: "profiles: [air-gapped]\nshared: {registry: registry.example.com}\nplatforms: [{namespace: team-a}]",
			Files: renders("apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {containers: [{name: main, image: 'elsewhere.example.com/tool:1.0'}]}\n"),
		},
	},
	Passes: []Example{
		{Fleet: "profiles: [air-gapped]\nshared: {registry: registry.example.com/mirror, checkpoint: {enabled: true}}\nplatforms: [{namespace: team-a}]"},
		{Fleet: "platforms: [{namespace: team-a}]"},
	},
}

func airGapped(rel fleet.Release) bool { return isTrue(rel.Values.At("global", "airGapped")) }

// elsewhere lists the images of a release that are not in a registry.
func elsewhere(in Input, rel fleet.Release, registry string) (problems []fleet.Problem) {
	images, err := in.Rendered[rel.Key].Images()
	if err != nil {
		return []fleet.Problem{{Origin: rel.Origin, Message: fmt.Sprintf("release %s: %v", rel.Key, err)}}
	}
	for _, image := range images {
		if !strings.HasPrefix(image, registry) {
			problems = append(problems, fleet.Problem{
				Origin:  rel.Origin,
				Message: fmt.Sprintf("release %s runs image %s, which is not in %s", rel.Key, image, strings.TrimSuffix(registry, "/")),
			})
		}
	}
	return problems
}
