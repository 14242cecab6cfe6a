package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var keysHaveTheirNames = Rule{
	ID:       "W-03",
	Severity: Warning,
	Says:     "Keys have the names that this version of a chart gives them.",
	Why: `Values that were written for another version of the charts go on working: a key with another name is taken for the one that it
became, and the published operator's image for the chart's own. But what has no effect here may have been meant, and the next
version may know the old name no more.`,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, schema := range in.Charts[rel.Chart].Schemas() {
				compiled, err := compile(schema)
				if err != nil {
					continue // the rule about schemas says so
				}
				root, _ := compiled.source.(map[string]any)
				problems = append(problems, deprecated(root, schema, nil, rel)...)
			}
			problems = append(problems, foreignImage(rel)...)
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "values: [{platform: {global: {grove: {install: false}}}}]\nplatforms: [{namespace: team-a}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {upgradeCRD: true}}}]\nplatforms: [{namespace: team-a}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {controllerManager: {manager: {image: {repository: nvcr.io/nvidia/ai-dynamo/kubernetes-operator}}}}}}]\nplatforms: [{namespace: team-a}]"},
	},
	Passes: []Example{{Fleet: "values: [{platform: {grove: {enabled: false}}}]\nplatforms: [{namespace: team-a}]"}},
}

// deprecated finds values that somebody has set although the schema calls them
// deprecated, and repeats what it says of them.
func deprecated(node map[string]any, schema chart.Schema, path []string, rel fleet.Release) (problems []fleet.Problem) {
	at := slices.Concat(schema.Path, path)
	value := rel.Values.At(at...)
	if value == nil {
		return nil
	}
	if node["deprecated"] == true && value.Origin.Layer != fleet.LayerDefaults {
		says, _ := node["description"].(string)
		return []fleet.Problem{{Origin: value.Origin, Message: fmt.Sprintf("%s: a key of another version of the chart", dotted(rel.Chart, at)), Fix: says}}
	}
	properties, _ := node["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if below, ok := properties[name].(map[string]any); ok {
			problems = append(problems, deprecated(below, schema, append(slices.Clone(path), name), rel)...)
		}
	}
	return problems
}

// foreignImage: the image is the default of published charts, so it is part of
// every copy of their values. The chart takes its own in its place.
func foreignImage(rel fleet.Release) []fleet.Problem {
	v := rel.Values.At("dynamo-operator", "controllerManager", "manager", "image", "repository")
	if v.Plain() != "nvcr.io/nvidia/ai-dynamo/kubernetes-operator" {
		return nil
	}
	return []fleet.Problem{{
		Origin:  v.Origin,
		Message: "the image is that of the published operator, which does not understand this chart's configuration: the chart's own is used",
		Fix:     "remove the key",
	}}
}

// installs reports whether a platform installs a third-party service. The key
// under global, which later charts use, wins, as in the chart's conditions.
func installs(rel fleet.Release, service string) bool {
	if later := rel.Values.At("global", service, "install"); later != nil {
		return isTrue(later)
	}
	return isTrue(rel.Values.At(service, "enabled"))
}
