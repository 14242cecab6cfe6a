package fleet

import (
	"fmt"
	"strings"
	"testing"
)

const severalClusters = `
apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: f}
spec:
  clusters:
    - context: east
      values: {platform: {where: east, size: 2}}
    - context: arn:aws:eks:eu-west-1:1:cluster/west
  values: {platform: {where: fleet, size: 1}}
  platforms:
    - {namespace: both, values: {platform: {size: 3}}}
    - {namespace: west, clusters: ["arn:aws:eks:eu-west-1:1:cluster/west"]}
  platformsFrom: tenants/*.yaml
`

func TestAFleetIsReadForOneOfItsClusters(t *testing.T) {
	files := memory{"f.yaml": severalClusters, "tenants/a.yaml": "namespace: east\nclusters: [east]\n"}
	if got := Contexts(files, "f.yaml"); len(got) != 2 || got[0] != "east" {
		t.Errorf("contexts %q", got)
	}
	for context, want := range map[string]string{
		"east":                                 "both east",
		"arn:aws:eks:eu-west-1:1:cluster/west": "both west",
	} {
		f, err := Load(files, "f.yaml", context)
		if err != nil {
			t.Fatal(err)
		}
		var namespaces []string
		for _, p := range f.Platforms {
			namespaces = append(namespaces, p.Namespace)
		}
		if got := strings.Join(namespaces, " "); got != want || f.Cluster.Context.Value != context {
			t.Errorf("on %s: platforms %s", f.Cluster.Context.Value, got)
		}
		id, err := Identify(files, "f.yaml", context)
		if err != nil || len(id.Platforms) != 2 || id.Cluster.Context.Value != context {
			t.Errorf("identity on %s: %+v, %v", context, id.Platforms, err)
		}
	}
}

// A cluster's values are above the fleet's and below a platform's.
func TestValuesOfACluster(t *testing.T) {
	files := memory{"f.yaml": severalClusters, "tenants/a.yaml": "namespace: east\nclusters: [east]\n"}
	for context, want := range map[string]struct {
		where, size string
		line        int
	}{"east": {"east", "2", 8}, "arn:aws:eks:eu-west-1:1:cluster/west": {"fleet", "1", 10}} {
		f, err := Load(files, "f.yaml", context)
		if err != nil {
			t.Fatal(err)
		}
		set, err := Resolve(f, Input{Files: files})
		if err != nil {
			t.Fatal(err)
		}
		for _, rel := range set.Platforms() {
			size := want.size
			if rel.Namespace == "both" {
				size = "3"
			}
			where := rel.Values.At("where")
			if where.Plain() != want.where || fmt.Sprint(rel.Values.At("size").Plain()) != size || where.Origin.Line != want.line {
				t.Errorf("on %s, %s: where %v (line %d), size %v", context, rel.Key, where.Plain(), where.Origin.Line, rel.Values.At("size").Plain())
			}
		}
	}
}

func TestMistakesInClusters(t *testing.T) {
	for name, c := range map[string]struct{ spec, context, want string }{
		"which":         {"clusters: [{context: east}, {context: west}], platforms: [{namespace: a}]", "", "f.yaml:4:29: the fleet runs on several clusters: east, west (name one with --context)"},
		"another":       {"clusters: [{context: east}], platforms: [{namespace: a}]", "esat", `does not run on cluster "esat", but on: east (did you mean "east"?)`},
		"twice":         {"clusters: [{context: east}, {context: east}], platforms: [{namespace: a}]", "east", `spec.clusters names "east" twice`},
		"unlisted":      {"clusters: [{context: east}], platforms: [{namespace: a, clusters: [west]}]", "", `platform a runs on cluster "west", which spec.clusters does not list (add it there)`},
		"no clusters":   {"platforms: [{namespace: a, clusters: [west]}]", "", `which spec.clusters does not list (add it there)`},
		"nowhere":       {"clusters: [{context: east}], platforms: [{namespace: a, clusters: []}]", "", "names no cluster: leave it out"},
		"nothing there": {"crds: {install: false}, clusters: [{context: east}, {context: west}], platforms: [{namespace: a, clusters: [west]}]", "east", `nothing of the fleet runs on cluster "east"`},
		"not a list":    {"clusters: east, platforms: [{namespace: a}]", "", "spec.clusters must be a list"},
		"no context":    {"clusters: [{values: a.yaml}], platforms: [{namespace: a}]", "", "context"},
	} {
		files := memory{"f.yaml": "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec: {" + c.spec + "}\n"}
		if _, err := Load(files, "f.yaml", c.context); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

// Who only wants to look or to remove must not end up on another cluster because the
// list of clusters is wrong.
func TestAnIdentityNeedsItsCluster(t *testing.T) {
	for _, clusters := range []string{"east", "[{contxt: east}]", "[{context: 7}]", "[{context: east}, {context: west}]"} {
		files := memory{"f.yaml": "metadata: {name: f}\nspec: {clusters: " + clusters + ", platforms: [{namespace: a}]}\n"}
		if f, err := Identify(files, "f.yaml", ""); err == nil {
			t.Errorf("clusters: %s is read as %+v", clusters, f)
		}
	}
	files := memory{"f.yaml": "metadata: {name: f}\nspec: {clusters: [{context: east, values: {nochart: 1}}], platforms: [{namespace: a}]}\n"}
	if f, err := Identify(files, "f.yaml", ""); err != nil || f.Cluster.Context.Value != "east" {
		t.Errorf("with wrong values: %+v, %v", f, err)
	}
}
