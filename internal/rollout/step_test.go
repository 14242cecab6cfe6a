package rollout

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Each kind of step asks the world for one thing, and for the rights to do it.
func TestWhatAStepDoesAndNeeds(t *testing.T) {
	crd := chart.Object{APIVersion: "apiextensions.k8s.io/v1", Kind: kindCRD, Name: "xs.example.com"}
	some := Target{Release: fleet.Release{Key: key("a")}, Rendered: &chart.Rendered{Objects: []chart.Object{crd}}}
	certified := some
	certified.authority = &Authority{Release: key("a"), Namespace: "a", Secret: "cert", Service: "hooks"}
	for _, test := range []struct {
		name string
		step Step
		asks string
		// needs are the rights, each as VERBS RESOURCE.
		needs []string
		note  string
	}{
		{"make a namespace", Step{Kind: StepNamespace, Action: ActionCreate, Namespace: "a"}, "create a", []string{"create namespaces"}, ""},
		{"delete a namespace", Step{Kind: StepNamespace, Action: ActionDelete, Namespace: "a"}, "delete a", []string{"delete,get namespaces", "list *"}, "kept, because it is in use"},
		{"install", Step{Kind: StepRelease, Action: ActionInstall, Key: key("a"), target: some}, "apply a/p", []string{"create,delete,get,list,update secrets", "create,get,patch CustomResourceDefinition"}, ""},
		{"roll back", Step{Kind: StepRelease, Action: ActionRollback, Key: key("a"), Revision: 2}, "rollback a/p to 2", []string{"create,delete,get,list,update secrets"}, ""},
		{"uninstall", Step{Kind: StepRelease, Action: ActionUninstall, Key: key("a"), gone: []chart.Object{crd}}, "uninstall a/p", []string{"delete,get,list,update secrets", "delete,get CustomResourceDefinition"}, ""},
		{"leave a release", Step{Kind: StepRelease, Action: ActionUnchanged, Key: key("a")}, "", nil, ""},
		{"wait", gateOn("gate a/p", some), "await a/p", nil, ""},
		{"delete a graph", Step{Kind: StepGraph, Action: ActionDelete, Namespace: "a", Names: []string{"g"}}, "delete graph a/g", []string{"delete,list,watch dynamographdeployments"}, ""},
		{"delete claims", Step{Kind: StepClaims, Action: ActionDelete, Namespace: "a", Names: []string{"x", "y"}}, "delete claims a/x,y", []string{"delete persistentvolumeclaims"}, ""},
		{"apply CRDs", Step{Kind: StepCRDs, Action: ActionUpgrade, target: some}, "apply crds xs.example.com", []string{"create,get,patch CustomResourceDefinition"}, ""},
		{"delete CRDs", Step{Kind: StepCRDs, Action: ActionDelete, Names: []string{"xs.example.com"}}, "delete crds xs.example.com", []string{"delete,list,watch customresourcedefinitions"}, ""},
		{"keep a certificate", Step{Kind: StepCertificate, Action: ActionRepair, Key: key("a"), target: certified}, "keep a/cert", []string{"create,get,update secrets", "get services"}, ""},
		{"pass a wave", Step{Kind: StepWave, Action: ActionWait}, "", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{}
			plan := &Plan{Steps: []Step{test.step}}
			result := Execute(context.Background(), plan, w, w, Options{})
			if err := result.Err(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(w.log, "; "); got != test.asks {
				t.Errorf("it asks for %q", got)
			}
			if got := result.Outcomes[0].Note; got != test.note {
				t.Errorf("its note is %q", got)
			}
			var needs []string
			for _, need := range plan.needs("journal", false) {
				if need.Namespace == "journal" {
					continue
				}
				verbs, what := slices.Sorted(slices.Values(need.Verbs)), need.Resource
				if need.Object != nil {
					what = need.Object.Kind
				}
				needs = append(needs, strings.Join(verbs, ",")+" "+what)
			}
			if diff := cmp.Diff(test.needs, needs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A kind that is forgotten here would be a step that nobody carries out.
func TestEveryKindOfStepIsKnown(t *testing.T) {
	for _, kind := range []StepKind{StepNamespace, StepRelease, StepGate, StepGraph, StepClaims, StepCRDs, StepCertificate, StepWave} {
		if kinds[kind] == nil {
			t.Errorf("nobody knows how a step of kind %s is done", kind)
		}
	}
	result := Execute(context.Background(), &Plan{Steps: []Step{{ID: "x", Kind: "other", Action: ActionCreate}}}, &world{}, &world{}, Options{})
	if err := result.Err(); err == nil || !strings.Contains(err.Error(), `unknown kind of step "other"`) {
		t.Errorf("got %v", err)
	}
}
