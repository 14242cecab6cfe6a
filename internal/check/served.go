package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var fieldsAreServed = Rule{
	ID:       "C-46",
	Severity: Error,
	Says:     "Where somebody else installs the CRDs, the cluster serves each kind and field that the fleet's operators use.",
	Why: "Such a fleet neither reads nor writes the definitions: its owner may have no right to. What the API server serves can be read by anybody. It drops fields " +
		"that a definition does not know, so an operator of a newer version would write them in vain.",
	Fix:         "have an administrator install the CRDs of this version or newer: `wheelhouse apply` of a fleet with `platforms: []`",
	WithoutCRDs: true,
	When:        isPlatform,
	Needs:       []Fact{FactSchemas},
	Live: func(in Input) (problems []fleet.Problem) {
		first := in.Set.Platforms()[0]
		var absent []string
		for _, definition := range definitionsUsed(in) {
			served, known := in.Cluster.Schemas[definition.Kind]
			if !known {
				absent = append(absent, definition.Kind)
				continue
			}
			if missing := Lacks(definition.Schema, served); len(missing) > 0 {
				p := problem(first.Origin, "the cluster's definition of %s has no %s", definition.Kind, missing[0])
				if more := len(missing) - 1; more > 0 {
					p.Message += fmt.Sprintf(", and %d other fields are missing", more)
				}
				problems = append(problems, p)
			}
		}
		if len(absent) > 0 {
			problems = append(problems, problem(first.Origin, "the cluster does not serve %s, which release %s needs", strings.Join(absent, ", "), first.Key))
		}
		return problems
	},
	Fails: []Example{{
		Fleet:   "crds: {install: false}\nplatforms: [{namespace: team-a}]",
		Files:   renders("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"),
		Cluster: &Cluster{},
	}},
	Passes: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{},
	}},
}

// KnownKind is a kind as a chart of CRDs defines it.
type KnownKind struct {
	Kind string
	// Name is that of the definition: PLURAL.GROUP.
	Name   string
	Schema map[string]any
}

// definitionsUsed lists the kinds of the chart of the CRDs on which the roles of
// the fleet's operators have rights.
func definitionsUsed(in Input) []KnownKind {
	known, err := KnownKinds(in.Charts[fleet.ChartCRDs])
	if err != nil {
		return nil // a chart of the user's own, which this fleet does not install
	}
	used := resourcesOfRoles(in)
	return slices.DeleteFunc(known, func(k KnownKind) bool { return !used[k.Name] })
}

// KnownKinds lists the kinds of a chart of CRDs, as they are stored.
func KnownKinds(crds *chart.Chart) (out []KnownKind, err error) {
	rendered, err := crds.Render(chart.Release{Name: "dynamo-crds", Namespace: "default", Revision: 1}, nil, chart.OfflineCapabilities())
	if err != nil {
		return nil, err
	}
	for _, o := range rendered.Objects {
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Plural, Kind string }
				Versions []struct {
					Storage bool
					Schema  struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if o.Kind != "CustomResourceDefinition" || o.Read(&crd) != nil {
			continue
		}
		for _, version := range crd.Spec.Versions {
			if version.Storage {
				out = append(out, KnownKind{crd.Spec.Names.Kind, crd.Spec.Names.Plural + "." + crd.Spec.Group, version.Schema.OpenAPIV3Schema})
			}
		}
	}
	return out, nil
}

func resourcesOfRoles(in Input) map[string]bool {
	out := map[string]bool{}
	for _, rel := range in.Set.Platforms() {
		for _, o := range objectsOf(in, rel) {
			var role rbacv1.Role
			if o.Kind != "Role" && o.Kind != "ClusterRole" || o.Read(&role) != nil {
				continue
			}
			for _, rule := range role.Rules {
				for _, group := range rule.APIGroups {
					for _, resource := range rule.Resources {
						out[resource+"."+group] = true
					}
				}
			}
		}
	}
	return out
}

// Lacks lists the fields of a schema that the one which a cluster serves does not have.
func Lacks(wanted, served map[string]any) []string { return unserved(wanted, served, "") }

func unserved(wanted, served map[string]any, path string) (missing []string) {
	if served["x-kubernetes-preserve-unknown-fields"] == true || served["$ref"] != nil || served["allOf"] != nil {
		return nil
	}
	has := mapping(served["properties"])
	fields := mapping(wanted["properties"])
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := path + name
		if _, known := has[name]; !known {
			missing = append(missing, at)
			continue
		}
		missing = append(missing, unserved(mapping(fields[name]), mapping(has[name]), at+".")...)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if deeper := mapping(wanted[inner]); deeper != nil && mapping(served[inner]) != nil {
			missing = append(missing, unserved(deeper, mapping(served[inner]), path)...)
		}
	}
	return missing
}

func mapping(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}
