package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Groups by which Grove, KAI and the others are recognised.
const (
	groupGrove           = "grove.io"
	groupKAI             = "scheduling.run.ai"
	groupLeaderWorkerSet = "leaderworkerset.x-k8s.io"
)

// once are the programs that a cluster has once, with the key that installs them.
var once = []struct{ program, group string }{{ProgramGrove, groupGrove}, {ProgramKAI, groupKAI}}

// uses reports whether a platform works with a program, whoever installs it.
func uses(rel fleet.Release, program string) bool {
	return isPlatform(rel) && (installs(rel, program) || isTrue(rel.Values.At("global", program, "enabled")))
}

var schedulersAreInstalledOnce = Rule{
	ID:       "C-28",
	Severity: Error,
	Says:     "Grove and KAI are installed once per cluster.",
	Why:      "Their cluster-scoped objects have fixed names: a second installation fails on ownership half-way through, or two schedulers place the same pods.",
	When:     func(rel fleet.Release) bool { return installs(rel, ProgramGrove) || installs(rel, ProgramKAI) },
	Needs:    []Fact{FactInstallations},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, o := range once {
			var first *fleet.Release
			for _, rel := range in.Set.Platforms() {
				switch {
				case !installs(rel, o.program):
				case first == nil:
					first = &rel
				default:
					problems = append(problems, fleet.Problem{
						Origin:  originOf(rel, o.program),
						Message: fmt.Sprintf("platform %s installs %s, which platform %s (%s) installs as well", rel.Key, o.program, first.Key, first.Origin),
						Fix:     fmt.Sprintf("set %s.enabled in one of them only, and global.%s.enabled in the others", o.program, o.program),
					})
				}
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, found := range in.Cluster.Installations {
			for _, rel := range in.Set.Platforms() {
				if found.Proven && installs(rel, found.Program) && found.Release != rel.Key {
					problems = append(problems, fleet.Problem{
						Origin:  originOf(rel, found.Program),
						Message: fmt.Sprintf("platform %s installs %s, but the cluster has it from %s (found by %s)", rel.Key, found.Program, found, found.Found),
						Fix:     fmt.Sprintf("set %s.enabled to false and global.%s.enabled to true", found.Program, found.Program),
					})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {grove: {enabled: true}}}]\nplatforms:\n  - {namespace: team-a}\n  - {namespace: team-b}",
	}, {
		Fleet: "values: [{platform: {kai-scheduler: {enabled: true}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
		Cluster: &Cluster{Installations: []Installation{{
			Program: ProgramKAI, Release: fleet.Key{Namespace: "kai-scheduler", Name: "kai-scheduler"}, Found: "Deployment kai-scheduler/kai-operator", Proven: true,
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms:\n  - {namespace: team-a, values: [{platform: {grove: {enabled: true}}}]}\n  - {namespace: team-b, values: [{platform: {global: {grove: {enabled: true}}}}]}",
	}, {
		Fleet: "values: [{platform: {grove: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Installations: []Installation{{
			Program: ProgramGrove, Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}, Found: "Deployment team-a/grove-operator",
		}}},
	}},
}

// defaultQueue is the queue of graphs that name none.
const defaultQueue = "dynamo"

var queuesExist = Rule{
	ID:       "C-30",
	Severity: Warning,
	Says:     "KAI's queues that graphs ask for exist.",
	Why: "The pods of a graph whose queue does not exist stay Pending. A cluster-wide operator creates the default queues if they are absent; a restricted " +
		"one has no right to, because queues belong to the cluster. It is a warning because only graphs wait, not the platform, and a queue can be made at any time.",
	When:  func(rel fleet.Release) bool { return uses(rel, ProgramKAI) },
	Needs: []Fact{FactAPIs, FactQueues, FactGraphs},
	Live: func(in Input) (problems []fleet.Problem) {
		if !in.Cluster.serves(groupKAI) {
			return nil
		}
		for _, rel := range in.Set.Platforms() {
			if uses(rel, ProgramKAI) && !createsQueues(rel) && !slices.Contains(in.Cluster.Queues, defaultQueue) {
				problems = append(problems, fleet.Problem{
					Origin:  rel.Origin,
					Message: fmt.Sprintf("platform %s works with KAI, but the queue %s does not exist, and its operator does not create it", rel.Key, defaultQueue),
					Fix:     "create the queues dynamo-default and dynamo, its child",
				})
			}
		}
		for _, g := range in.Cluster.Graphs {
			if g.Queue != "" && !slices.Contains(in.Cluster.Queues, g.Queue) {
				problems = append(problems, fleet.Problem{
					Message: fmt.Sprintf("graph %s asks for the queue %s, which does not exist", g, g.Queue),
					Fix:     "create the queue, or correct the annotation nvidia.com/kai-scheduler-queue",
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {global: {kai-scheduler: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{
			APIs: []string{"scheduling.run.ai/v2"}, Queues: []string{"other"},
			Graphs: []Graph{{Namespace: "team-a", Name: "chat", Queue: "urgent"}},
		},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {global: {kai-scheduler: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{
			APIs: []string{"scheduling.run.ai/v2"}, Queues: []string{"dynamo", "dynamo-default", "urgent"},
			Graphs: []Graph{{Namespace: "team-a", Name: "chat", Queue: "urgent"}},
		},
	}, {
		Fleet:   "values: [{platform: {global: {kai-scheduler: {enabled: true}}}}]\nplatforms: [{namespace: dynamo-system, scope: cluster}]",
		Cluster: &Cluster{APIs: []string{"scheduling.run.ai/v2"}},
	}},
}

// createsQueues: a restricted operator may not, unless it is told to.
func createsQueues(rel fleet.Release) bool {
	said, ok := rel.Values.At("dynamo-operator", "kaiScheduler", "createQueues").Plain().(bool)
	return ok && said || !ok && rel.Scope == fleet.ScopeCluster
}

var groveLetsKAIWork = Rule{
	ID:       "C-32",
	Severity: Error,
	Says:     "Where Grove refuses changes by others, KAI is exempt in the namespace that it runs in.",
	Why: "Grove's authorizer lets only Grove change what Grove made. KAI's grouper and binder must change it too, and are exempt by the names of their " +
		"accounts, which contain the namespace. The default names the namespace kai-scheduler.",
	When: func(rel fleet.Release) bool { return installs(rel, ProgramGrove) },
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			authorizer := []string{ProgramGrove, "config", "authorizer"}
			if !installs(rel, ProgramGrove) || !uses(rel, ProgramKAI) || !isTrue(rel.Values.At(append(authorizer, "enabled")...)) {
				continue
			}
			exempt, _ := rel.Values.At(append(authorizer, "exemptServiceAccountUserNames")...).Plain().([]any)
			for _, account := range kaiAccounts(rel) {
				if !slices.Contains(exempt, any(account)) {
					problems = append(problems, fleet.Problem{
						Origin:  originOf(rel, append(authorizer, "exemptServiceAccountUserNames")...),
						Message: fmt.Sprintf("platform %s turns on Grove's authorizer, which does not exempt %s", rel.Key, account),
						Fix:     "add " + account + " to grove.config.authorizer.exemptServiceAccountUserNames",
					})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {grove: {enabled: true, config: {authorizer: {enabled: true}}}, kai-scheduler: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {grove: {enabled: true, config: {authorizer: {enabled: true, exemptServiceAccountUserNames: " +
			"['system:serviceaccount:team-a:pod-grouper', 'system:serviceaccount:team-a:binder']}}}, kai-scheduler: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
	}},
}

// kaiAccounts are the accounts of KAI that change what Grove made.
func kaiAccounts(rel fleet.Release) []string {
	namespace := "kai-scheduler"
	if installs(rel, ProgramKAI) {
		namespace = rel.Namespace
	}
	return []string{"system:serviceaccount:" + namespace + ":pod-grouper", "system:serviceaccount:" + namespace + ":binder"}
}
