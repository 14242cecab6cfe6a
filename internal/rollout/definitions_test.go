package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func TestWhatCRDChangesForbid(t *testing.T) {
	harmful := &crdsafety.Report{Name: "chats.example.com", Objects: 3, Harms: []crdsafety.Harm{{Namespace: "team-a", Name: "chat", Field: "spec.foo", Says: "would be dropped"}}}
	for _, test := range []struct {
		name             string
		step             Step
		refused, allowed []string // without and with consent
	}{
		{name: "nothing narrows", step: Step{Definitions: []*crdsafety.Report{{Name: "c"}}}},
		{name: "nobody is hurt", step: Step{Definitions: []*crdsafety.Report{{Name: "c", Objects: 3, Changes: []crdsafety.Change{{Class: crdsafety.Narrowing}}}}}},
		{name: "objects break", step: Step{Definitions: []*crdsafety.Report{harmful}}, refused: []string{
			"s: CRD chats.example.com would break 1 of 3 live objects:", "  team-a/chat: spec.foo would be dropped", adviceOnCRDs,
		}},
		{name: "programs break", step: Step{Definitions: []*crdsafety.Report{{Name: "c", Objects: 1, Changes: []crdsafety.Change{{Class: crdsafety.Breaking, Says: "version v1 is removed"}}}}}, refused: []string{
			"s: CRD c has 1 live objects, and version v1 is removed", adviceOnCRDs,
		}},
		{name: "all is deleted", step: Step{Definitions: []*crdsafety.Report{{Name: "c", Objects: 2, Deleted: true}}}, refused: []string{
			"s: CRD c is deleted, and with it 2 live objects", adviceOnCRDs,
		}},
		{
			name: "impossible", step: Step{Definitions: []*crdsafety.Report{{Name: "c", Changes: []crdsafety.Change{{Class: crdsafety.Forbidden, Says: "no"}}}}},
			refused: []string{"s: CRD c: the API server does not allow this: no"}, allowed: []string{"s: CRD c: the API server does not allow this: no"},
		},
		{name: "an older chart", step: Step{Downgrade: "older"}, refused: []string{"s: older", adviceOnDowngrades}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.step.ID = "s"
			for accepted, want := range map[bool][]string{false: test.refused, true: test.allowed} {
				var got []string
				if err := (&Plan{Steps: []Step{test.step}, AcceptBreakage: accepted}).Blocked(); err != nil {
					got = strings.Split(err.Error(), "\n")[1:]
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("accepted %v: %s", accepted, diff)
				}
			}
		})
	}
}

func TestErrorsNameSomeObjectsAndCountTheRest(t *testing.T) {
	report := &crdsafety.Report{Name: "c", Objects: 200}
	for i := range 100 {
		report.Harms = append(report.Harms, crdsafety.Harm{Name: "n" + string(rune('a'+i%26)) + strings.Repeat("x", i/26), Field: "spec.a", Says: "would be dropped"})
	}
	lines := Step{ID: "s", Definitions: []*crdsafety.Report{report}}.harmLines(false)
	if len(lines) != 12 || lines[0] != "s: CRD c would break 100 of 200 live objects:" || !strings.HasPrefix(lines[11], "  and 90 more") {
		t.Errorf("%q", lines)
	}
}

func TestOlderCharts(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"1.0.0", "1.0.1", true}, {"1.0.0", "1.0.0", false}, {"1.1.0", "1.0.0", false}, {"1.0.0-rc.1", "1.0.0", true}, {"", "1.0.0", false}, {"1.0.0", "", false}} {
		if older(test.a, test.b) != test.want {
			t.Errorf("%s older than %s: want %v", test.a, test.b, test.want)
		}
	}
}

// CRDs that know less go back when nothing of now runs any more, others before
// what needs them.
func TestCRDsGoBackInTheRightOrder(t *testing.T) {
	for class, want := range map[crdsafety.Class][]string{
		crdsafety.Narrowing: {"release a needs ", "release c needs release a", "gate c/p needs release c"},
		crdsafety.Safe:      {"release c needs ", "gate c/p needs release c", "release a needs gate c/p"},
	} {
		r := &RollbackPlan{Plan: &Plan{Steps: []Step{
			{ID: "release a", Kind: StepRelease, Action: ActionRollback, Key: key("a")},
			{ID: "release c", Kind: StepRelease, Action: ActionRollback, Key: key("c"), crds: true, Definitions: []*crdsafety.Report{{Changes: []crdsafety.Change{{Class: class}}}}},
		}}}
		r.order()
		var got []string
		for _, s := range r.Plan.Steps {
			got = append(got, s.ID+" needs "+strings.Join(s.Needs, ", "))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", class, diff)
		}
	}
}

func TestOtherFleetsAreNamedOnceWithTheirNamespaces(t *testing.T) {
	release := func(fleetName, namespace, name string) Record {
		return Record{Key: fleet.Key{Namespace: namespace, Name: name}, Fleet: fleetName, Status: HelmDeployed}
	}
	records := map[fleet.Key]Record{}
	for _, r := range []Record{
		release("b", "b-2", "dynamo-platform"), release("b", "b-1", "dynamo-platform"), release("b", "b-1", "chrek"),
		release("a", "a", "dynamo-platform"), release("own", "own", "dynamo-platform"), release("", "stranger", "x"),
	} {
		records[r.Key] = r
	}
	want := []OtherFleet{{Name: "a", Namespaces: []string{"a"}}, {Name: "b", Namespaces: []string{"b-1", "b-2"}}}
	if diff := cmp.Diff(want, otherFleets(ofOthers("own", records))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
