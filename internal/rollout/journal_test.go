package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// notebook is a ledger in memory.
type notebook struct{ revisions []Revision }

func (n *notebook) Acquire(context.Context, func(string)) (*Lock, error) { return &Lock{}, nil }
func (n *notebook) Unsettled(context.Context) (bool, error)              { return false, nil }
func (n *notebook) Revisions(context.Context) ([]Revision, error)        { return n.revisions, nil }
func (n *notebook) Save(_ context.Context, r Revision) error {
	for i := range n.revisions {
		if n.revisions[i].Number == r.Number {
			n.revisions[i] = r
			return nil
		}
	}
	n.revisions = append(n.revisions, r)
	return nil
}

func TestJournalTellsIntentAndOutcome(t *testing.T) {
	ctx := context.Background()
	book := &notebook{revisions: []Revision{{Number: 4, Status: RevisionRunning}}}
	plan := mustPlan(t, &Snapshot{Targets: []Target{platform("a")}})
	r, err := Begin(ctx, book, plan, Intent{Description: "apply", By: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 5 || book.revisions[1].Status != RevisionRunning {
		t.Errorf("intent: %+v", book.revisions)
	}
	if book.revisions[0].Status != RevisionInterrupted {
		t.Errorf("a run that died is %s", book.revisions[0].Status)
	}
	w := &world{fail: map[string]error{"await a/p": errors.New("boom")}}
	if _, err := Finish(ctx, book, r, Execute(ctx, plan, w, w, Options{})); err != nil {
		t.Fatal(err)
	}
	if last := book.revisions[1]; last.Status != RevisionFailed || last.Changed() != 1 || last.Finished.IsZero() {
		t.Errorf("outcome: %+v", last)
	}
}

func at(namespace string, revision int) ReleaseAt {
	return ReleaseAt{Key: key(namespace), Revision: revision, Status: "deployed", Action: ActionUpgrade}
}

func TestRollbackRestoresTheWholeSet(t *testing.T) {
	uninstalled := at("later", 0)
	uninstalled.Status = "uninstalled"
	crd := at("crds", 1)
	crd.CRDs = true
	revisions := []Revision{
		{Number: 1, Status: RevisionDone, Releases: []ReleaseAt{at("same", 2), at("changed", 1), at("gone", 3), uninstalled, crd}},
		{Number: 2, Status: RevisionFailed},
		{Number: 3, Status: RevisionDone},
	}
	record := func(namespace string, revision int) Record {
		return Record{Key: key(namespace), Revision: revision, Status: "deployed", Fleet: "f", Known: true}
	}
	records := map[fleet.Key]Record{
		key("same"): record("same", 2), key("changed"): record("changed", 5), key("new"): record("new", 1), key("crds"): record("crds", 2),
		key("forged"): {Key: key("forged"), Revision: 1, Status: "deployed", Fleet: "f"},
		key("other"):  {Key: key("other"), Revision: 1, Status: "deployed", Fleet: "another"},
	}
	back, err := PlanRollback("f", 0, revisions, records)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range back.Plan.Steps {
		got = append(got, strings.TrimSpace(string(s.Action)+" "+s.ID+" "+s.Reason))
	}
	want := []string{
		"rollback release changed/p back to Helm revision 1",
		"rollback release crds/p back to Helm revision 1",
		"uninstall release new/p revision 1 did not have it",
		"unchanged release same/p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(back.Lost) != 1 || !strings.Contains(back.Lost[0], "release gone/p was uninstalled") {
		t.Errorf("lost: %q", back.Lost)
	}
}

func TestOnlyUsableRevisionsAreReturnedTo(t *testing.T) {
	revisions := []Revision{
		{Number: 1, Status: RevisionFailed}, {Number: 2, Status: RevisionDone},
		{Number: 3, Status: RevisionDamaged, Damage: "the record s/wheelhouse-f-v3 is not used"}, {Number: 4, Status: RevisionDone, Releases: []ReleaseAt{at("a", 1)}},
	}
	for number, want := range map[int]string{
		0: "there is no earlier revision that succeeded",
		1: "revision 1 is failed: only a revision that is done can be returned to",
		2: "revision 2 names no releases: returning to it would uninstall everything",
		3: "revision 3 cannot be returned to: the record s/wheelhouse-f-v3 is not used",
		7: "there is no revision 7",
	} {
		if _, err := PlanRollback("f", number, revisions, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v, want %s", number, err, want)
		}
	}
}

// A record that cannot be read takes no number away and is not written again.
func TestADamagedRevisionIsPassedOver(t *testing.T) {
	damaged := Revision{Number: 7, Status: RevisionDamaged, Damage: "the record s/wheelhouse-f-v7 is not used"}
	book := &notebook{revisions: []Revision{{Number: 6, Status: RevisionDone, CRDs: []string{"grove 0.1"}}, damaged}}
	r, err := Begin(context.Background(), book, mustPlan(t, &Snapshot{Targets: []Target{platform("a")}}), Intent{Description: "apply", By: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 8 || !cmp.Equal(r.CRDs, []string{"grove 0.1"}) || book.revisions[1].Status != RevisionDamaged || book.revisions[1].Damage != damaged.Damage {
		t.Errorf("%+v", book.revisions)
	}
}

// A rollback without a number, run again, goes where it went, not to and fro.
func TestARollbackAgainGoesToTheSameRevision(t *testing.T) {
	done := func(number int) Revision {
		return Revision{Number: number, Status: RevisionDone, Releases: []ReleaseAt{at("a", number)}}
	}
	for name, tc := range map[string]struct {
		newest Revision
		want   int
	}{
		"rollback failed": {newest: Revision{Number: 3, To: 1, Status: RevisionFailed}, want: 1},
		"rollback died":   {newest: Revision{Number: 3, To: 1, Status: RevisionRunning}, want: 1},
		"rollback done":   {newest: Revision{Number: 3, To: 1, Status: RevisionDone}, want: 1},
		"apply failed":    {newest: Revision{Number: 3, Status: RevisionFailed}, want: 2},
		"apply died":      {newest: Revision{Number: 3, Status: RevisionRunning}, want: 2},
		"apply done":      {newest: done(3), want: 2},
	} {
		back, err := PlanRollback("f", 0, []Revision{done(1), done(2), tc.newest}, nil)
		if err != nil || back.To.Number != tc.want {
			t.Errorf("%s: got %v %v, want revision %d", name, back, err, tc.want)
		}
	}
}
