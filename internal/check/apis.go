package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const groupMonitoring = "monitoring.coreos.com"

// otherRules have their own about these groups.
var otherRules = map[string]bool{groupMonitoring: true, "cert-manager.io": true}

var kindsAreServed = Rule{
	ID:       "C-31",
	Severity: Error,
	Says:     "The cluster serves the kinds that a release renders, or the fleet defines them.",
	Why: "A release is one unit: an object of a kind that nobody knows fails all of it. Our charts render such objects only where a value asks for " +
		"them, and never by looking at the cluster, so that they render the same under `helm template`.",
	Needs: []Fact{FactAPIs},
	Live: func(in Input) (problems []fleet.Problem) {
		defined := definedGroups(in)
		for _, rel := range in.Set.Releases {
			for group, object := range strangeGroups(in, rel) {
				if !otherRules[group] && !defined[group] && !in.Cluster.serves(group) {
					problems = append(problems, fleet.Problem{
						Origin:  rel.Origin,
						Message: fmt.Sprintf("release %s renders %s of %s, which the cluster does not serve", rel.Key, object, object.APIVersion),
						Fix:     "install what defines it first, or turn off the value that asks for it",
					})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Files:   renders("apiVersion: scheduling.run.ai/v2\nkind: Queue\nmetadata: {name: dynamo}\n"),
		Cluster: &Cluster{APIs: []string{"apps/v1"}},
	}},
	Passes: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Files:   renders("apiVersion: scheduling.run.ai/v2\nkind: Queue\nmetadata: {name: dynamo}\n"),
		Cluster: &Cluster{APIs: []string{"apps/v1", "scheduling.run.ai/v2"}},
	}, {
		Fleet: "values: [{platform: {grove: {enabled: true}}}]\nplatforms: [{namespace: team-a}]",
		Files: map[string]string{
			"platform/charts/grove-charts/Chart.yaml":          "apiVersion: v2\nname: grove-charts\nversion: v0.1.0-alpha.6\n",
			"platform/charts/grove-charts/crds/widgets.yaml":   "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n",
			"platform/charts/grove-charts/templates/own.yaml":  "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: own}\n",
			"platform/charts/grove-charts/templates/hook.yaml": "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
		},
		Cluster: &Cluster{APIs: []string{"apps/v1"}},
	}},
}

// strangeGroups maps each API group that is not Kubernetes' own to the first
// object of it that a release renders.
func strangeGroups(in Input, rel fleet.Release) map[string]chart.Object {
	out := map[string]chart.Object{}
	objects := objectsOf(in, rel)
	if rendered := in.Rendered[rel.Key]; rendered != nil {
		objects = slices.Concat(objects, rendered.Hooks)
	}
	for _, o := range objects {
		if _, seen := out[o.Group()]; !seen && !kinds().IsGroupRegistered(o.Group()) {
			out[o.Group()] = o
		}
	}
	return out
}

// definedGroups are the groups of the CRDs that the fleet renders, and of those
// in the crds/ folders of dependencies, which are applied before the releases.
func definedGroups(in Input) map[string]bool {
	out := map[string]bool{}
	for _, rel := range in.Set.Releases {
		// What cannot be read fails to render, with its own message.
		folders, _ := in.Charts[rel.Chart].CRDs(rel.Overrides.PlainMap())
		for _, o := range slices.Concat(objectsOf(in, rel), folders) {
			if _, group, ok := strings.Cut(o.Name, "."); ok && o.Kind == "CustomResourceDefinition" {
				out[group] = true
			}
		}
	}
	return out
}

var monitorsAreServed = Rule{
	ID:       "C-36",
	Severity: Error,
	Says:     "Prometheus monitors are asked for only where the cluster knows their kinds.",
	Why: "Monitors are rendered because a value says so, not because the cluster happens to have Prometheus' operator, so without its kinds the whole release " +
		"fails; hence an error and not a warning. Which monitors a Prometheus selects, by labels, is its own configuration: give yours with the monitors' labels.",
	Fix:   "install the Prometheus operator's CRDs, or turn the monitors off",
	Needs: []Fact{FactAPIs},
	Live: func(in Input) (problems []fleet.Problem) {
		if in.Cluster.serves(groupMonitoring) {
			return nil
		}
		for _, rel := range in.Set.Releases {
			if object, renders := strangeGroups(in, rel)[groupMonitoring]; renders {
				problems = append(problems, problem(rel.Origin, "release %s renders %s, but the cluster does not serve %s", rel.Key, object, groupMonitoring))
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Files:   renders("apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: workers}\n"),
		Cluster: &Cluster{APIs: []string{"apps/v1"}},
	}},
	Passes: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Files:   renders("apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: workers}\n"),
		Cluster: &Cluster{APIs: []string{"apps/v1", "monitoring.coreos.com/v1"}},
	}},
}
