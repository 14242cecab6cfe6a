package rollout

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

var conversionKey = fleet.Key{Namespace: "system", Name: fleet.ConversionRelease}

func conversion() Target {
	return Target{
		Release:  fleet.Release{Key: conversionKey, Chart: fleet.ChartConversion},
		Rendered: &chart.Rendered{Objects: []chart.Object{{Kind: "Deployment", Name: "d"}}}, Digest: Digest{Chart: "c2", Values: "v2"}, FleetName: "f",
	}
}

const convertedCRD = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: xs.example.com},
spec: {conversion: {strategy: Webhook, webhook: {clientConfig: {service: {namespace: system, name: dynamo-conversion, port: 443}}}}}}`

func converted(t *testing.T) Target {
	t.Helper()
	target := crds()
	target.After = []fleet.Key{conversionKey}
	target.Rendered = &chart.Rendered{Objects: []chart.Object{{
		APIVersion: "apiextensions.k8s.io/v1", Kind: kindCRD, Name: "xs.example.com", Content: convertedCRD,
		Annotations: map[string]string{marks.Certificate: "cert", marks.CertificateDays: "9"},
	}}}
	authority, err := authorityOf(target.Key, target.Rendered.Objects)
	if err != nil {
		t.Fatal(err)
	}
	if got := authority.DNSName() + " " + authority.SecretName(); got != "dynamo-conversion.system.svc system/cert" {
		t.Errorf("the certificate is for %s", got)
	}
	target.authority = authority
	return target
}

func stepsOf(plan *Plan) (out []string) {
	for _, s := range plan.Steps {
		out = append(out, s.ID+" | "+string(s.Action)+" | "+strings.Join(s.Needs, ", "))
	}
	return out
}

// What converts is there, certified and ready, before definitions ask for it,
// whether anything else is waited for or not.
func TestDefinitionsFollowWhatConvertsThem(t *testing.T) {
	plan := mustPlan(t, &Snapshot{Targets: []Target{conversion(), converted(t), platform("a")}, due: []string{"", "the release is new", ""}})
	want := []string{
		"release system/dynamo-conversion | install | ",
		"certificate system/dynamo-conversion | create | release system/dynamo-conversion",
		"gate system/dynamo-conversion | wait | release system/dynamo-conversion, certificate system/dynamo-conversion",
		"release default/crds | install | gate system/dynamo-conversion",
		"certificate default/crds | create | release default/crds",
		"gate default/crds | wait | release default/crds, certificate default/crds",
		"release a/p | install | gate default/crds",
		"gate a/p | wait | release a/p",
	}
	if diff := cmp.Diff(want, stepsOf(plan)); diff != "" {
		t.Error(diff)
	}
	if i := slices.IndexFunc(plan.Steps, func(s Step) bool { return s.ID == "gate system/dynamo-conversion" }); !plan.Steps[i].awaited {
		t.Error("with --no-wait nobody waits until it converts")
	}
}

// A certificate that is renewed is renewed once: definitions that do not change trust it by then.
func TestACertificateIsRenewedOnce(t *testing.T) {
	deployed := func(target Target) Record {
		return Record{Key: target.Key, Revision: 1, Status: HelmDeployed, Fleet: "f", Ours: true, Known: true, Digest: target.Digest}
	}
	targets := []Target{conversion(), converted(t)}
	records := map[fleet.Key]Record{}
	for _, target := range targets {
		records[target.Key] = deployed(target)
	}
	plan := mustPlan(t, &Snapshot{Targets: targets, Records: records, due: []string{"", "expires soon"}})
	want := []string{
		"release system/dynamo-conversion | unchanged | ",
		"certificate system/dynamo-conversion | repair | release system/dynamo-conversion",
		"gate system/dynamo-conversion | wait | release system/dynamo-conversion, certificate system/dynamo-conversion",
		"release default/crds | unchanged | gate system/dynamo-conversion",
		"gate default/crds | wait | release default/crds",
	}
	if diff := cmp.Diff(want, stepsOf(plan)); diff != "" {
		t.Error(diff)
	}
}

// What converts stays for as long as definitions may ask for it.
func TestNothingThatGoesBackTakesConversionAway(t *testing.T) {
	w := &world{converted: []string{"xs.example.com"}}
	removed := &Plan{Steps: []Step{{ID: "x", Kind: StepRelease, Action: ActionUninstall, Key: conversionKey}}}
	if err := Execute(context.Background(), removed, w, w, Options{}).Err(); err == nil || !strings.Contains(err.Error(), "it converts the objects of xs.example.com") {
		t.Errorf("uninstalled under definitions that ask for it: %v", err)
	}
	if w.did("uninstall system/dynamo-conversion") {
		t.Error("it is gone")
	}

	record := Record{Key: conversionKey, Revision: 2, Status: HelmDeployed, Fleet: "f", Known: true}
	old := Revision{Number: 1, Status: RevisionDone, Releases: []ReleaseAt{{Key: crds().Key, Revision: 1, Status: HelmDeployed, CRDs: true}}}
	back, err := PlanRollback("f", 1, []Revision{old}, map[fleet.Key]Record{
		conversionKey: record, crds().Key: {Key: crds().Key, Revision: 2, Status: HelmDeployed, Fleet: "f", Known: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range back.Plan.Steps {
		if step.Key == conversionKey && step.Action != ActionUnchanged {
			t.Errorf("a rollback to when there was none: %s", step.Action)
		}
	}
	if len(back.Lost) != 1 || !strings.Contains(back.Lost[0], "release system/dynamo-conversion stays") {
		t.Errorf("it says %v", back.Lost)
	}

	plan := mustPlan(t, &Snapshot{Targets: []Target{conversion(), converted(t)}})
	undo := Undo(plan, &Result{Outcomes: []Outcome{{Step: plan.Steps[0], State: StateDone, Record: record}}}, nil)
	if len(undo.Plan.Steps) != 1 || undo.Plan.Steps[0].Action != ActionUnchanged {
		t.Errorf("an apply that failed: %v", stepsOf(undo.Plan))
	}
}

// An older program comes back after the definitions that it knows.
func TestConversionGoesBackAfterDefinitions(t *testing.T) {
	back := &RollbackPlan{Plan: &Plan{Steps: []Step{
		{ID: releaseID(crds().Key), Kind: StepRelease, Action: ActionRollback, Key: crds().Key, crds: true, target: crds()},
		{ID: releaseID(conversionKey), Kind: StepRelease, Action: ActionRollback, Key: conversionKey},
	}}}
	back.order()
	want := []string{
		"release default/crds | rollback | ",
		"gate default/crds | wait | release default/crds",
		"release system/dynamo-conversion | rollback | gate default/crds",
	}
	if diff := cmp.Diff(want, stepsOf(back.Plan)); diff != "" {
		t.Error(diff)
	}
}

// A destroy keeps it as long as the CRDs, and removes it after them.
func TestDestroyKeepsConversionWithDefinitions(t *testing.T) {
	set := &fleet.Set{Name: "f", Releases: []fleet.Release{conversion().Release, converted(t).Release, platform("a").Release}}
	records := map[fleet.Key]Record{}
	for _, rel := range set.Releases {
		records[rel.Key] = Record{Key: rel.Key, Revision: 1, Status: HelmDeployed, Fleet: "f", Known: true}
	}
	for _, test := range []struct {
		purge bool
		want  []string
	}{
		{false, []string{"release a/p | uninstall | "}},
		{true, []string{
			"release a/p | uninstall | ",
			"crds | delete | release a/p",
			"release default/crds | uninstall | crds",
			"release system/dynamo-conversion | uninstall | release a/p, crds, release default/crds",
		}},
	} {
		r := &DestroyPlan{CRDs: map[string]int{"xs.example.com": 0}, Options: DestroyOptions{PurgeCRDs: test.purge}}
		id := Identity{Fleet: &fleet.Fleet{Name: "f"}, Set: set}
		crds, installed := r.collect(id, records)
		r.plan(id, crds, installed)
		if diff := cmp.Diff(test.want, stepsOf(r.Plan)); diff != "" {
			t.Errorf("purge %t: %s", test.purge, diff)
		}
	}
}

// Whoever looks at a program that is down is told what that means, and what helps.
func TestStatusSaysWhatAMissingConversionMeans(t *testing.T) {
	key := fleet.Key{Namespace: "wheelhouse-system", Name: fleet.ConversionRelease}
	said := withoutConversion(key, "Deployment wheelhouse-system/dynamo-conversion: 0 of 2 ready")
	for _, want := range []string{"0 of 2 ready; ", "nvidia.com/v1beta1 fail", "Service wheelhouse-system/dynamo-conversion", "`wheelhouse apply --drift`"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing from %q", want, said)
		}
	}
	if got := withoutConversion(fleet.Key{Namespace: "a", Name: "dynamo-platform"}, "waits"); got != "waits" {
		t.Errorf("of another release: %q", got)
	}
}
