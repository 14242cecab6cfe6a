package check

import (
	"path"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

var versionsGoTogether = Rule{
	ID:       "C-49",
	Severity: Warning,
	Says:     "Grove, KAI and the runtimes of graphs are of versions that the platform was made for.",
	Why: "The operator writes objects of Grove and KAI, and speaks with the runtime in its pods. Each has versions that do not understand one another, and what " +
		"fails then is a graph, later. The versions are data, in internal/transition/window.yaml; images whose tag is no version are not judged. It is a warning because nobody " +
		"knows that others do not work, and because graphs are their owners'.",
	Fix:   "take versions that go together",
	When:  isPlatform,
	Needs: []Fact{FactGraphs},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			platform := in.Charts[rel.Chart]
			for _, part := range platform.Parts(rel.Values.PlainMap()) {
				if reason := transition.Outside(platform.Version(), part.Chart, part.Version); reason != "" {
					problems = append(problems, problem(originOf(rel, part.Key), "platform %s installs %s %s: %s", rel.Key, part.Chart, part.Version, reason))
				}
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, g := range in.Cluster.Graphs {
			rel, served := servedBy(in.Set, g.Namespace)
			if !served || in.Charts[rel.Chart] == nil {
				continue
			}
			for _, s := range g.Services {
				if reason := transition.OutsideRuntime(in.Charts[rel.Chart].Version(), runtimeVersion(s.Image)); reason != "" {
					problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s: %s", s.Name, g, reason))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {nats: {enabled: false}, grove: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
		Files: map[string]string{
			"platform/charts/grove-charts/Chart.yaml": "apiVersion: v2\nname: grove-charts\nversion: v0.1.0-alpha.12\n",
			"platform/Chart.yaml": "apiVersion: v2\nname: dynamo-platform\nversion: 1.0.0\nappVersion: 1.0.0\ndependencies:\n" +
				"  - {name: dynamo-operator, version: 1.0.0, repository: \"file://components/operator\", condition: dynamo-operator.enabled}\n  - {name: grove-charts, alias: grove, version: v0.1.0-alpha.12, " +
				"repository: \"oci://ghcr.io/ai-dynamo/grove\", condition: grove.enabled}\n",
		},
	}, {
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: running("nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.6.1"),
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
	}, {
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: running("nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.0.0"),
	}},
}

func running(image string) *Cluster {
	return &Cluster{Graphs: []Graph{{Namespace: "team-a", Name: "chat", Services: []Service{{Name: "decode", Image: image}}}}}
}

// runtimeVersion is the tag of a published runtime's image, or of a mirror's; empty
// for other images.
func runtimeVersion(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name, tag, _ := strings.Cut(path.Base(image), ":")
	if !strings.HasSuffix(name, "-runtime") {
		return ""
	}
	return tag
}
