package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// later is a release that needs a platform to be ready.
func later(namespace string) Target {
	t := platform(namespace)
	t.Name, t.After = "later", []fleet.Key{key(namespace)}
	return t
}

func TestUndoReversesWhatAnApplyDid(t *testing.T) {
	changed := platform("b")
	changed.Digest.Values = "v2"
	broken := platform("d")
	half := deployed(platform("d"))
	half.Status = "failed"
	laterB := later("b")
	lastB := deployed(laterB)
	lastB.Digest.Values = "older"
	before := map[fleet.Key]Record{key("b"): deployed(platform("b")), key("c"): deployed(platform("c")), key("d"): half, laterB.Key: lastB}
	plan := mustPlan(t, &Snapshot{
		Targets: []Target{crds(), platform("a"), later("a"), changed, laterB, platform("c"), broken, platform("e")}, Records: before,
		Namespaces: map[string]NamespaceState{"default": NamespaceAbsent, "a": NamespaceAbsent, "c": NamespaceAbsent},
	})
	w := &world{fail: map[string]error{"await a/later": errors.New("boom"), "await d/p": errors.New("boom"), "apply e/p": errors.New("boom")}}
	undo := Undo(plan, Execute(context.Background(), plan, w, w, Options{}))
	stays := undo.Lost
	var got []string
	for _, s := range undo.Plan.Steps {
		slices.Sort(s.Needs)
		got = append(got, string(s.Action)+" "+s.ID+" ("+s.Reason+") after "+strings.Join(s.Needs, ", "))
	}
	want := []string{
		"uninstall release e/p (it was new) after ",
		"rollback release b/later (back to Helm revision 3) after ",
		"rollback release b/p (back to Helm revision 3) after release b/later",
		"uninstall release a/later (it was new) after ",
		"uninstall release a/p (it was new) after release a/later",
		"unchanged release d/p () after ",
		"unchanged release c/p () after ",
		"unchanged release default/crds () after ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantStays := []string{"release d/p: it was failed before", "release default/crds: its CRDs are new, and stay: they carry a keep policy, and the next apply goes on from them"}
	if diff := cmp.Diff(wantStays, stays); diff != "" {
		t.Error(diff)
	}
}

// What was adopted existed before, so undoing must not delete it; what was
// pruned has no history to return to.
func TestUndoSaysWhatStays(t *testing.T) {
	for action, want := range map[Action]string{ActionAdopt: "existed before", ActionUninstall: "its history with it"} {
		plan := &Plan{Steps: []Step{{ID: "release a/p", Kind: StepRelease, Action: action, Key: key("a"), target: platform("a")}}}
		result := &Result{Outcomes: []Outcome{{Step: plan.Steps[0], State: StateDone, Record: Record{Key: key("a"), Revision: 1, Status: "deployed"}}}}
		undo := Undo(plan, result)
		if undo.Plan.Changes() || len(undo.Lost) != 1 || !strings.Contains(undo.Lost[0], want) {
			t.Errorf("%s: %+v %q", action, undo.Plan.Steps, undo.Lost)
		}
	}
}
