package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// labelLimits are kinds whose names become labels or host names, with how long
// they may be: the controllers of some append to the name. Names of all other
// kinds may have 253 characters.
var labelLimits = map[string]int{"Service": 63, "Namespace": 63, "Job": 63, "StatefulSet": 52, "CronJob": 52}

var objectNamesFit = Rule{
	ID:       "C-27",
	Severity: Error,
	Says:     "Names and labels of rendered objects are what Kubernetes accepts.",
	Why: "Names are made of the release's name and a suffix. One that is too long is refused in the middle of a rollout, or, for kinds whose controller " +
		"appends to it, accepted and never run. Our own charts stay within the limits for every legal release name; a fullnameOverride or a " +
		"dependency may not.",
	Fix: "choose a shorter release name or override, of small letters, digits and dashes",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, object := range objectsOf(in, rel) {
				for _, reason := range append(badName(object), badLabels(object)...) {
					problems = append(problems, problem(rel.Origin, "release %s renders %s with %s", rel.Key, object.Kind, reason))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {fullnameOverride: Team_A}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: '{{ .Release.Name }}-suffix-of-a-dependency-that-nobody-has-counted'}\n"),
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {nats: {enabled: false}}}]\nplatforms: [{namespace: team-a, release: a-release-name-of-fifty-three-characters-the-longest}]",
	}},
}

func badName(o chart.Object) []string {
	limit, isLabel := labelLimits[o.Kind]
	if !isLabel {
		limit = 253
	}
	if len(o.Name) > limit {
		return []string{fmt.Sprintf("a name of %d characters, %d are allowed: %s", len(o.Name), limit, o.Name)}
	}
	var reasons []string
	switch {
	case strings.HasPrefix(o.APIVersion, "rbac.authorization.k8s.io/"):
		reasons = content.IsPathSegmentName(o.Name)
	case isLabel:
		reasons = validation.IsDNS1123Label(o.Name)
	default:
		reasons = validation.IsDNS1123Subdomain(o.Name)
	}
	if len(reasons) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the name %q: %s", o.Name, reasons[0])}
}

func badLabels(o chart.Object) (problems []string) {
	for _, key := range slices.Sorted(maps.Keys(o.Labels)) {
		for _, reason := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(o.Labels[key])...) {
			problems = append(problems, fmt.Sprintf("the name %s and the label %s=%q: %s", o.Name, key, o.Labels[key], reason))
		}
	}
	return problems
}
