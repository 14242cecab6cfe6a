package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var confinedFleetsStayInside = Rule{
	ID:       "W-30",
	Severity: Error,
	Says:     "A fleet that keeps its own journal has no object outside its namespaces.",
	Why: "A team that installs no CRDs and whose platforms are restricted has its journal in its own namespace, needs rights there alone, and is " +
		"believed there alone: whoever may edit that namespace writes the journal, too. So nothing that the fleet reads or writes leaves its namespaces, " +
		"whoever runs it. Webhook configurations, priority classes and the like belong to the cluster, and to a fleet whose journal only administrators write.",
	Fix: "turn off what makes it, or have an administrator run the fleet, with spec.journal.namespace: wheelhouse-system",
	Find: func(in Input) (problems []fleet.Problem) {
		if in.Set.Confined == nil {
			return nil
		}
		for _, rel := range in.Set.Releases {
			for _, o := range objectsOf(in, rel) {
				if !slices.Contains(in.Set.Confined, namespaceOf(o, rel)) {
					problems = append(problems, problem(rel.Origin, "release %s renders %s, %s", rel.Key, o, outside(namespaceOf(o, rel))))
				}
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: "crds: {install: false}\nvalues: [{platform: {dynamo-operator: {webhook: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]"},
		{
			Fleet: "crds: {install: false}\nplatforms: [{namespace: team-a}]",
			Files: renders("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: kube-system}\n"),
		},
	},
	Passes: []Example{
		{Fleet: "crds: {install: false}\nplatforms: [{namespace: team-a}]"},
		{Fleet: "crds: {install: false}\njournal: {namespace: wheelhouse-system}\nvalues: [{platform: {dynamo-operator: {webhook: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]"},
	},
}

func outside(namespace string) string {
	if namespace == "" {
		return "which belongs to the cluster"
	}
	return fmt.Sprintf("which is in namespace %s", namespace)
}
