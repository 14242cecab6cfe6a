package check

import (
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func isAgent(rel fleet.Release) bool { return rel.Chart == fleet.ChartChrek }

// agents are the set's releases of the checkpoint agent.
func agents(set *fleet.Set) (out []fleet.Release) {
	for _, rel := range set.Releases {
		if isAgent(rel) {
			out = append(out, rel)
		}
	}
	return out
}

// pairs visits every agent with the platform of its namespace.
func pairs(set *fleet.Set, visit func(agent, platform fleet.Release)) {
	for _, agent := range agents(set) {
		for _, platform := range set.Platforms() {
			if platform.Namespace == agent.Namespace {
				visit(agent, platform)
			}
		}
	}
}

// deploysProfile reports whether an agent puts the seccomp profile on its nodes,
// as it does by default.
func deploysProfile(rel fleet.Release) bool {
	v := rel.Values.At("seccomp", "deploy")
	return v == nil || isTrue(v)
}

const prepared = "platforms: [{namespace: team-a, checkpoint: {enabled: true}}]"

// preparedApart is one whose agent is out of its tenant's reach.
const preparedApart = "platforms: [{namespace: team-a-platform, serves: team-a, checkpoint: {enabled: true}}]"

// preparedWith is a platform whose agent has further values.
func preparedWith(values string) string {
	return "platforms: [{namespace: team-a, checkpoint: {enabled: true}, values: [{" + values + "}]}]"
}

var checkpointsHaveAnAgent = Rule{
	ID:       "C-01",
	Severity: Warning,
	Says:     "Every namespace with graphs that use checkpoints has an agent and its claim.",
	Why: "Without the chrek release that serves the namespace nobody takes the checkpoint, and the pods of the service start anew each time. It is a warning because a graph " +
		"that somebody applied must not stop the rollout of the platform.",
	Fix:   "set checkpoint.enabled for the platform of that namespace, or take checkpoint out of the graph",
	When:  isPlatform,
	Needs: []Fact{FactGraphs, FactAgents},
	Live: func(in Input) (problems []fleet.Problem) {
		has := map[string]bool{}
		for _, agent := range agents(in.Set) {
			has[agent.Namespace] = true
		}
		for _, agent := range in.Cluster.Agents {
			has[agent.Release.Namespace] = true
		}
		checkpointed(in, func(g Graph, s Service) {
			if rel, served := servedBy(in.Set, g.Namespace); !has[g.Namespace] && (!served || rel.Scope == fleet.ScopeCluster || !has[rel.Namespace]) {
				problems = append(problems, problem(fleet.Origin{}, "service %s of graph %s uses checkpoints, and namespace %s has no agent", s.Name, g, g.Namespace))
			}
		})
		return problems
	},
	Fails:  []Example{{Fleet: "platforms: [{namespace: team-a}]", Cluster: withCheckpoint(pinnedImage)}},
	Passes: []Example{{Fleet: prepared, Cluster: withCheckpoint(pinnedImage)}},
}

// sharedFact builds the rule that the operator and the agent of a namespace are
// told the same about the claim.
func sharedFact(id, key, operatorKey, says, why, other string) Rule {
	return Rule{
		ID:       id,
		Severity: Error,
		Says:     says,
		Why:      why,
		Fix:      "say it once, in spec.shared.checkpoint.storage of the fleet",
		When:     isAgent,
		Find: func(in Input) (problems []fleet.Problem) {
			pairs(in.Set, func(agent, platform fleet.Release) {
				said := platform.Values.At("dynamo-operator", "checkpoint", "storage", "pvc", operatorKey)
				if said == nil {
					return // a chart without checkpoints says nothing to contradict
				}
				theirs, _ := said.Plain().(string)
				if own := text(agent, "storage", "pvc", key); own != theirs {
					problems = append(problems, problem(originOf(agent, "storage", "pvc", key),
						"agent %s has storage.pvc.%s %q, and platform %s dynamo-operator.checkpoint.storage.pvc.%s %q", agent.Key, key, own, platform.Key, operatorKey, theirs))
				}
			})
			return problems
		},
		Fails:  []Example{{Fleet: preparedWith("chrek: {storage: {pvc: {" + key + ": " + other + "}}}")}},
		Passes: []Example{{Fleet: prepared}},
	}
}

var sameClaim = sharedFact("C-02", "name", "pvcName",
	"The operator and the agent of a namespace name the same claim.",
	"Only the agent mounts the claim; the operator's key tells people and scripts which one holds the checkpoints, and would tell them wrong.", "models")

var sameBasePath = sharedFact("C-03", "basePath", "basePath",
	"The operator and the agent of a namespace name the same folder of the claim.",
	"The status of a DynamoCheckpoint would name a folder in which the agent has stored nothing.", "/models")

var checkpointsAreOnClaims = Rule{
	ID:       "C-04",
	Severity: Error,
	Says:     "Checkpoints are stored on a claim.",
	Why:      "Nothing restores from object storage: what an agent wrote for it would stay in its container's layer and be lost with it.",
	Fix:      "leave storage.type at pvc",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			path := []string{"storage", "type"}
			if isPlatform(rel) {
				path = []string{"dynamo-operator", "checkpoint", "storage", "type"}
			} else if !isAgent(rel) {
				continue
			}
			if kind := text(rel, path...); kind != "" && kind != "pvc" {
				problems = append(problems, problem(originOf(rel, path...), "release %s has %s %q", rel.Key, strings.Join(path, "."), kind))
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: preparedWith("chrek: {storage: {type: s3}}")},
		{Fleet: preparedWith("platform: {dynamo-operator: {checkpoint: {storage: {type: oci}}}}")},
	},
	Passes: []Example{{Fleet: prepared}},
}

var noSharedFolderOfNodes = Rule{
	ID:       "C-05",
	Severity: Warning,
	Says:     "No folder of the nodes is shared with pods for signals.",
	Why:      "The key asks for a writable folder of every node in every worker. Agent and workers need none: checkpoints are asked for in the Kubernetes API.",
	Fix:      "remove checkpoint.storage.signalHostPath",
	When:     isPlatform,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			at := []string{"dynamo-operator", "checkpoint", "storage", "signalHostPath"}
			if path := text(rel, at...); path != "" && path != "/var/lib/chrek/signals" {
				problems = append(problems, problem(originOf(rel, at...), "platform %s shares the folder %s of its nodes", rel.Key, path))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: preparedWith("platform: {dynamo-operator: {checkpoint: {storage: {signalHostPath: /srv/signals}}}}")}},
	Passes: []Example{{Fleet: prepared}},
}

var nodesGetTheProfile = Rule{
	ID:       "C-06",
	Severity: Warning,
	Says:     "The agent puts the seccomp profile on the nodes.",
	Why: "The profile profiles/block-iouring.json keeps workers from io_uring, which cannot be stored; a pod that names it is not created on a node without it. Where the agent shares " +
		"a namespace with graphs, `wheelhouse` turns seccomp.deploy off: whoever may edit that namespace runs programs in the agent's pods, and those " +
		"would change the profiles of all pods of the node.",
	Fix:  "put the profile on every node that may run such pods, or give the platform a namespace of its own: {namespace: TEAM-platform, serves: TEAM}",
	When: isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if !deploysProfile(rel) {
				problems = append(problems, problem(originOf(rel, "seccomp", "deploy"), "agent %s leaves the profile to somebody else", rel.Key))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: prepared}},
	Passes: []Example{{Fleet: preparedApart}, {Fleet: preparedWith("chrek: {seccomp: {deploy: true}}")}},
}

var severalNodesShareTheClaim = Rule{
	ID:       "C-07",
	Severity: Error,
	Says:     "A claim that agents of several nodes mount is ReadWriteMany.",
	Why:      "ReadWriteOnce lets one node mount it: the agents of the others never start, and checkpoints there wait for ever.",
	Fix:      "set spec.shared.checkpoint.storage.accessMode to ReadWriteMany, with a storage class that can do it, or select one node",
	When:     isAgent,
	Needs:    []Fact{FactNodes},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if nodes := agentNodes(in, rel); text(rel, "storage", "pvc", "accessMode") == "ReadWriteOnce" && len(nodes) > 1 {
				problems = append(problems, problem(originOf(rel, "storage", "pvc", "accessMode"),
					"agent %s would run on %d nodes, such as %s and %s, and its claim is ReadWriteOnce", rel.Key, len(nodes), nodes[0].Name, nodes[1].Name))
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet:   preparedWith("chrek: {storage: {pvc: {accessMode: ReadWriteOnce}}}"),
		Cluster: &Cluster{Nodes: []Node{gpuNode("one", "amd64", "containerd://2.1.0"), gpuNode("two", "amd64", "containerd://2.1.0")}},
	}},
	Passes: []Example{{
		Fleet:   preparedWith("chrek: {storage: {pvc: {accessMode: ReadWriteOnce}}}"),
		Cluster: &Cluster{Nodes: []Node{gpuNode("one", "amd64", "containerd://2.1.0"), {Name: "plain"}}},
	}},
}

func gpuNode(name, arch, runtime string) Node {
	return Node{Name: name, Runtime: runtime, Labels: map[string]string{
		"nvidia.com/gpu.present": "true", "kubernetes.io/arch": arch, "kubernetes.io/os": "linux",
	}}
}

// agentNodes are the nodes that an agent's selector picks.
func agentNodes(in Input, rel fleet.Release) (out []Node) {
	selector := map[string]string{}
	plain, _ := rel.Values.At("daemonset", "nodeSelector").Plain().(map[string]any)
	for key, value := range plain {
		if s, ok := value.(string); ok {
			selector[key] = s
		}
	}
	for _, node := range in.Cluster.Nodes {
		if node.matches(selector) {
			out = append(out, node)
		}
	}
	return out
}

var agentsServeTheirNamespace = Rule{
	ID:       "C-08",
	Severity: Error,
	Says:     "An agent serves the namespace that it is installed in.",
	Why:      "Two agents that both serve everything would dump the same pod, and a claim belongs to one namespace anyway.",
	Fix:      "leave rbac.namespaceRestricted at true, and enable checkpoints per platform",
	When:     isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if v := rel.Values.At("rbac", "namespaceRestricted"); v != nil && !isTrue(v) {
				problems = append(problems, problem(originOf(rel, "rbac", "namespaceRestricted"), "agent %s would serve every namespace", rel.Key))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: preparedWith("chrek: {rbac: {namespaceRestricted: false}}")}},
	Passes: []Example{{Fleet: prepared}},
}

var agentsHaveTheirOwnNetwork = Rule{
	ID:       "C-09",
	Severity: Error,
	Says:     "No agent listens on the network of its node.",
	Why:      "Agents of several namespaces share nodes: on the node's network their ports collide, and who can reach the node can reach a privileged program.",
	Fix:      "remove hostNetwork from the DaemonSet",
	When:     isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			for _, o := range objectsOf(in, rel) {
				if o.Kind == "DaemonSet" && strings.Contains(o.Content, "hostNetwork: true") {
					problems = append(problems, problem(rel.Origin, "agent %s renders %s on the node's network", rel.Key, o))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: prepared,
		Files: map[string]string{"chrek/templates/extra.yaml": "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: extra}\nspec:\n  template:\n    spec:\n      hostNetwork: true\n"},
	}},
	Passes: []Example{{Fleet: prepared}},
}

var agentsAreAskedThroughKubernetes = Rule{
	ID:       "C-10",
	Severity: Warning,
	Says:     "Agents are asked for checkpoints through the Kubernetes API.",
	Why:      "An HTTP interface would be one without authentication to a privileged program, and the operator would not use it.",
	Fix:      "leave config.agent.signalSource at watcher",
	When:     isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if source := text(rel, "config", "agent", "signalSource"); source != "" && source != "watcher" {
				problems = append(problems, problem(originOf(rel, "config", "agent", "signalSource"), "agent %s listens to %s", rel.Key, source))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: preparedWith("chrek: {config: {agent: {signalSource: http}}}")}},
	Passes: []Example{{Fleet: prepared}},
}

var runtimesKnowTheirFiles = Rule{
	ID:       "C-11",
	Severity: Error,
	Says:     "The files by which a runtime signals are those that the runtime images use.",
	Why:      "With another path the probe never passes, or a restored process is not recognised as one.",
	Fix:      "remove the key: the operator and the runtime images agree without it",
	When:     isPlatform,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			for key, published := range map[string]string{
				"readyForCheckpointFilePath": "/tmp/ready-for-checkpoint", "restoreMarkerFilePath": "/tmp/dynamo-restored",
			} {
				if path := text(rel, "dynamo-operator", "checkpoint", key); path != "" && path != published {
					problems = append(problems, problem(originOf(rel, "dynamo-operator", "checkpoint", key), "platform %s has checkpoint.%s %s", rel.Key, key, path))
				}
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: "values: [{platform: {dynamo-operator: {checkpoint: {readyForCheckpointFilePath: /srv/ready}}}}]\nplatforms: [{namespace: team-a}]"}},
	Passes: []Example{{Fleet: "values: [{platform: {dynamo-operator: {checkpoint: {readyForCheckpointFilePath: /tmp/ready-for-checkpoint}}}}]\nplatforms: [{namespace: team-a}]"}},
}

// enginePod reports whether an agent takes checkpoints, and does not only prepare.
func enginePod(rel fleet.Release) bool { return isTrue(rel.Values.At("engine", "enabled")) }

var enginesLiveApart = Rule{
	ID:       "C-45",
	Severity: Warning,
	Says:     "Whoever asks for checkpoints has an engine that takes them, out of their tenants' reach.",
	Why: "The pods of an engine can do anything on their nodes, so `wheelhouse` turns it on only for a platform that lives beside the one namespace that it serves. " +
		"Where platform and graphs share a namespace, and for a platform that serves the whole cluster, the agent prepares nodes and takes no checkpoint, and the " +
		"operator refuses graphs that ask for one. Whoever sets engine.enabled there by hand makes everybody who may edit the namespace root on its nodes.",
	Fix:  "give the platform a namespace of its own: {namespace: TEAM-platform, serves: TEAM, checkpoint: {enabled: true}}",
	When: isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		pairs(in.Set, func(agent, platform fleet.Release) {
			shares := platform.Serves == platform.Namespace
			switch {
			case enginePod(agent) && shares:
				problems = append(problems, problem(originOf(agent, "engine", "enabled"), "the engine of agent %s is on in the namespace of its tenant, who is root on its nodes thereby", agent.Key))
			case !enginePod(agent):
				problems = append(problems, problem(agent.Origin, "agent %s takes no checkpoints: its engine is off", agent.Key))
			}
		})
		return problems
	},
	Fails: []Example{
		{Fleet: prepared}, {Fleet: preparedWith("chrek: {engine: {enabled: true}}")},
		{Fleet: "platforms: [{namespace: dynamo-system, scope: cluster, checkpoint: {enabled: true}}]"},
	},
	Passes: []Example{{Fleet: preparedApart}},
}

var claimsOutliveTheirRelease = Rule{
	ID:       "C-42",
	Severity: Warning,
	Says:     "The claim of checkpoints outlives its release.",
	Why:      "Uninstalling the agent would delete the claim and every checkpoint on it.",
	Fix:      "leave storage.pvc.keep at true; `wheelhouse destroy --purge-data` deletes claims when that is wanted",
	When:     isAgent,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if v := rel.Values.At("storage", "pvc", "keep"); v != nil && !isTrue(v) {
				problems = append(problems, problem(originOf(rel, "storage", "pvc", "keep"), "the claim of agent %s goes with its release", rel.Key))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: preparedWith("chrek: {storage: {pvc: {keep: false}}}")}},
	Passes: []Example{{Fleet: prepared}},
}

var nodesFitTheAgent = Rule{
	ID:       "C-44",
	Severity: Warning,
	Says:     "The nodes that an agent selects run containerd on amd64.",
	Why:      "CRIU and the seccomp profile are for that architecture, and checkpoints will need containerd. Elsewhere the agent does not start or prepares for nothing, and checkpointed pods must not land there.",
	Fix:      "narrow daemonset.nodeSelector to the nodes that fit",
	When:     isAgent,
	Needs:    []Fact{FactNodes},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			for _, node := range agentNodes(in, rel) {
				if node.Arch() != "amd64" || !strings.HasPrefix(node.Runtime, "containerd://") {
					problems = append(problems, problem(originOf(rel, "daemonset", "nodeSelector"), "agent %s selects node %s, which is %s with %s", rel.Key, node.Name, node.Arch(), node.Runtime))
				}
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: prepared, Cluster: &Cluster{Nodes: []Node{gpuNode("arm", "arm64", "containerd://2.1.0"), gpuNode("other", "amd64", "cri-o://1.36")}}}},
	Passes: []Example{{Fleet: prepared, Cluster: &Cluster{Nodes: []Node{gpuNode("fits", "amd64", "containerd://2.1.0")}}}},
}
