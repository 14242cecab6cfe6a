package check

import (
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// servedGraphs are the graphs that the platforms of a set serve.
func servedGraphs(in Input) (out []Graph) {
	for _, g := range in.Cluster.Graphs {
		if _, served := servedBy(in.Set, g.Namespace); served {
			out = append(out, g)
		}
	}
	return out
}

// servedBy is the platform whose operator serves a namespace.
func servedBy(set *fleet.Set, namespace string) (fleet.Release, bool) {
	var wide *fleet.Release
	for _, rel := range set.Platforms() {
		if rel.Serves == namespace {
			return rel, true
		}
		if rel.Scope == fleet.ScopeCluster {
			wide = &rel
		}
	}
	if wide == nil {
		return fleet.Release{}, false
	}
	return *wide, true
}

var severalNodesHaveAnOrchestrator = Rule{
	ID:       "C-33",
	Severity: Warning,
	Says:     "A graph over several nodes has Grove or LeaderWorkerSet.",
	Why: "Deployments do not make groups of pods. The graph waits and says so in its status; the platform " +
		"and other graphs do not suffer, hence a warning.",
	Fix:   "install LeaderWorkerSet, or Grove with global.grove.enabled in the values",
	When:  isPlatform,
	Needs: []Fact{FactGraphs, FactAPIs},
	Live: func(in Input) (problems []fleet.Problem) {
		if in.Cluster.serves(groupGrove) || in.Cluster.serves(groupLeaderWorkerSet) {
			return nil
		}
		for _, g := range servedGraphs(in) {
			for _, s := range g.Services {
				if s.Nodes > 1 {
					problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s spans %d nodes", s.Name, g, s.Nodes))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{
			APIs:   []string{"apps/v1"},
			Graphs: []Graph{{Namespace: "team-a", Name: "large", Services: []Service{{Name: "decode", Nodes: 2}}}},
		},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{
			APIs:   []string{"leaderworkerset.x-k8s.io/v1"},
			Graphs: []Graph{{Namespace: "team-a", Name: "large", Services: []Service{{Name: "decode", Nodes: 2}}}},
		},
	}},
}

// checkpointed visits the services with a checkpoint that the platforms serve.
func checkpointed(in Input, visit func(Graph, Service)) {
	for _, g := range servedGraphs(in) {
		for _, s := range g.Services {
			if s.Checkpoint {
				visit(g, s)
			}
		}
	}
}

// withCheckpoint is a cluster with one graph whose worker uses checkpoints.
func withCheckpoint(image string) *Cluster {
	return &Cluster{Graphs: []Graph{{Namespace: "team-a", Name: "chat", Services: []Service{{Name: "decode", Image: image, Checkpoint: true}}}}}
}

const pinnedImage = "registry.example.com/vllm@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

var workersRunTheirOwnImage = Rule{
	ID:       "C-12",
	Severity: Warning,
	Says:     "A worker with a checkpoint runs its engine's own image, not a placeholder for restores.",
	Why: "Elsewhere a restore happens inside the worker's pod, whose image must hold a restore program as its entrypoint. Here the agent restores from outside, into " +
		"a pod of the ordinary image; a placeholder image brings no engine to take the first checkpoint of. One team's graph stops no rollout, hence a warning.",
	Fix:   "name the engine's own image",
	When:  isPlatform,
	Needs: []Fact{FactGraphs},
	Live: func(in Input) (problems []fleet.Problem) {
		checkpointed(in, func(g Graph, s Service) {
			if strings.Contains(s.Image, "placeholder") {
				problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s uses checkpoints and runs the placeholder %s", s.Name, g, s.Image))
			}
		})
		return problems
	},
	Fails:  []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint("registry.example.com/vllm-placeholder:1.0")}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint("registry.example.com/vllm:1.0")}},
}

var operatorKnowsCheckpoints = Rule{
	ID:       "C-13",
	Severity: Warning,
	Says:     "A graph uses checkpoints only where its operator does.",
	Why: "The graph's status says that its operator has no checkpoints, and the service is not started. It is a warning because a graph that somebody applied " +
		"must not stop the rollout of the platform.",
	Fix:   "set dynamo-operator.checkpoint.enabled for its platform, or take checkpoint out of the graph",
	When:  isPlatform,
	Needs: []Fact{FactGraphs},
	Live: func(in Input) (problems []fleet.Problem) {
		checkpointed(in, func(g Graph, s Service) {
			if rel, served := servedBy(in.Set, g.Namespace); served && !takesCheckpoints(rel) {
				problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s uses checkpoints, and platform %s does not", s.Name, g, rel.Key))
			}
		})
		return problems
	},
	Fails: []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint(pinnedImage)}},
	Passes: []Example{{
		Fleet:   "values: [{platform: {dynamo-operator: {checkpoint: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: withCheckpoint(pinnedImage),
	}},
}

// takesCheckpoints reports whether a platform's operator takes checkpoints.
func takesCheckpoints(rel fleet.Release) bool {
	return isPlatform(rel) && isTrue(rel.Values.At("dynamo-operator", "checkpoint", "enabled"))
}

var checkpointsFitTheirImage = Rule{
	ID:       "C-43",
	Severity: Warning,
	Says:     "A worker with a checkpoint names its image by digest.",
	Why: "A checkpoint is restored into the same image, driver and number and model of GPUs, or it crashes. Its identity covers the model and how it is split, not the " +
		"image; a tag that moves brings another image to an old checkpoint. What differs on the node at restore time is for the agent to see.",
	Fix:   "pin the image: REPOSITORY@sha256:...",
	When:  isPlatform,
	Needs: []Fact{FactGraphs},
	Live: func(in Input) (problems []fleet.Problem) {
		checkpointed(in, func(g Graph, s Service) {
			if !strings.Contains(s.Image, "@sha256:") {
				problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s uses checkpoints and names its image by tag: %s", s.Name, g, s.Image))
			}
		})
		return problems
	},
	Fails:  []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint("registry.example.com/vllm:1.0")}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint(pinnedImage)}},
}
