package rollout

import (
	"context"
	"errors"
	"maps"
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
	for i := range plan.Steps {
		plan.Steps[i].returnable = true
	}
	w := &world{fail: map[string]error{"await a/later": errors.New("boom"), "await d/p": errors.New("boom"), "apply e/p": errors.New("boom")}}
	undo := Undo(plan, Execute(context.Background(), plan, w, w, Options{}), nil)
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

// A record that names kinds which have gone is no way back, and that is the reason given.
func TestUndoDoesNotGoBackToKindsThatHaveGone(t *testing.T) {
	step := Step{ID: "release a/p", Kind: StepRelease, Action: ActionUpgrade, Key: key("a"), target: platform("a"), last: deployed(platform("a")), returnable: true, vanished: true}
	_, stays := undoStep(Outcome{Step: step, State: StateDone})
	if want := "names kinds that the cluster does not serve any more"; !strings.Contains(stays, want) {
		t.Errorf("got %q, want %q", stays, want)
	}
	step.vanished = false
	if _, stays := undoStep(Outcome{Step: step, State: StateDone}); stays != "" {
		t.Errorf("got %q", stays)
	}
}

// What was adopted existed before, so undoing must not delete it; what was
// pruned has no history to return to.
func TestUndoSaysWhatStays(t *testing.T) {
	for action, want := range map[Action]string{ActionAdopt: "existed before", ActionUninstall: "its history with it"} {
		plan := &Plan{Steps: []Step{{ID: "release a/p", Kind: StepRelease, Action: action, Key: key("a"), target: platform("a")}}}
		result := &Result{Outcomes: []Outcome{{Step: plan.Steps[0], State: StateDone, Record: Record{Key: key("a"), Revision: 1, Status: "deployed"}}}}
		undo := Undo(plan, result, nil)
		if undo.Plan.Changes() || len(undo.Lost) != 1 || !strings.Contains(undo.Lost[0], want) {
			t.Errorf("%s: %+v %q", action, undo.Plan.Steps, undo.Lost)
		}
	}
}

// A run that was to take back what it does if it fails, and died first, leaves its
// promise to the next one, which may find that all was done.
func TestThePromiseOfADeadRunIsKept(t *testing.T) {
	ctx, book := context.Background(), &notebook{}
	before := map[fleet.Key]Record{}
	for _, namespace := range []string{"b", "c", "d"} {
		record := deployed(platform(namespace))
		record.Manifest = "ours"
		before[key(namespace)] = record
	}
	var targets []Target
	for _, namespace := range []string{"a", "b", "c", "d"} {
		target := platform(namespace)
		if namespace != "d" {
			target.Digest.Values = "v2"
		}
		targets = append(targets, target)
	}
	first := mustPlan(t, &Snapshot{Targets: targets, Records: before})
	if _, err := Begin(ctx, book, first, Intent{Description: "apply", Promises: true}); err != nil {
		t.Fatal(err)
	}
	// It installed a and upgraded b, and died.
	between := maps.Clone(before)
	between[key("a")], between[key("b")] = deployed(targets[0]), deployed(targets[1])
	upgraded := between[key("b")]
	upgraded.Revision = 4
	between[key("b")] = upgraded

	second := mustPlan(t, &Snapshot{Targets: targets, Records: between})
	revision, err := Begin(ctx, book, second, Intent{Description: "apply", GoesOn: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{fail: map[string]error{"await a/p": errors.New("boom")}}
	result := Execute(ctx, second, w, w, Options{})
	revision, err = Finish(ctx, book, revision, result)
	if err != nil || revision.Promise == nil {
		t.Fatalf("%v: the promise is %+v", err, revision.Promise)
	}
	var got []string
	for _, s := range Undo(second, result, revision.Promise).Plan.Steps {
		got = append(got, strings.TrimSpace(string(s.Action)+" "+s.ID+" "+s.Reason))
	}
	slices.Sort(got)
	want := []string{
		"rollback release b/p back to Helm revision 3", "rollback release c/p back to Helm revision 3",
		"unchanged release d/p", "uninstall release a/p it was new",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhenNothingIsOwedAnyMore(t *testing.T) {
	ctx, plan := context.Background(), &Plan{Fleet: "f"}
	owed := &Promise{}
	failed := &Result{Outcomes: []Outcome{{State: StateFailed, Err: errors.New("boom")}}}
	interrupted := &Result{Interrupted: true, Cause: ErrStopped}
	for name, tc := range map[string]struct {
		intent Intent
		result *Result
		owes   bool
	}{
		"done":               {Intent{Promises: true}, &Result{}, false},
		"failed, not undone": {Intent{Promises: true}, failed, true},
		"interrupted":        {Intent{Promises: true}, interrupted, true},
		"undone":             {Intent{Keeps: owed}, &Result{}, false},
		"undone in vain":     {Intent{Keeps: owed}, failed, false},
		"undoing, stopped":   {Intent{Keeps: owed}, interrupted, true},
		"nothing promised":   {Intent{}, failed, false},
		"another command":    {Intent{}, interrupted, false},
	} {
		book := &notebook{revisions: []Revision{{Number: 1, Status: RevisionRunning, Promise: owed}}}
		r, err := Begin(ctx, book, plan, tc.intent)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = Finish(ctx, book, r, tc.result); err != nil || (r.Promise != nil) != tc.owes || (book.revisions[1].Promise != nil) != tc.owes {
			t.Errorf("%s: %v, owes %+v", name, err, r.Promise)
		}
	}
}
