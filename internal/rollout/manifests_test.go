package rollout

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// A record counts for what the journal says of it: what we wrote, what we did
// not, and what was changed since.
func TestTheJournalJudgesRecords(t *testing.T) {
	wrote := func(digest string) ReleaseAt {
		r := at("a", 3)
		r.Manifest = digest
		return r
	}
	gone := at("a", 3)
	gone.Action, gone.Status = ActionUninstall, HelmUninstalled
	hidden := at("a", 0)
	hidden.Action, hidden.Status = ActionLater, HelmUninstalled
	meant := []ManifestAt{{Key: key("a"), Revision: 4, Digest: "four"}}
	for name, tc := range map[string]struct {
		revisions []Revision
		number    int
		digest    string
		want      Verdict
	}{
		"what we wrote":                     {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("three")}}}, 3, "three", Written},
		"changed since":                     {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("three")}}}, 3, "other", Altered},
		"somebody else's":                   {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("three")}}}, 5, "other", Unwritten},
		"installed anew by us":              {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Releases: []ReleaseAt{wrote("three")}}}, 3, "three", Written},
		"replayed from before that":         {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Releases: []ReleaseAt{wrote("three")}}}, 3, "old", Altered},
		"written by a run that died":        {[]Revision{{Number: 1, Meant: meant}}, 4, "four", Written},
		"not written by a run that died":    {[]Revision{{Number: 1, Meant: meant}}, 4, "other", Unwritten},
		"what a moved journal says":         {[]Revision{{Number: 1, Imported: true, Releases: []ReleaseAt{wrote("three")}}}, 3, "three", Unwritten},
		"what a damaged revision says":      {[]Revision{{Number: 1, Damage: "cut off", Releases: []ReleaseAt{wrote("three")}}}, 3, "three", Unwritten},
		"begun anew by a run that died":     {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Meant: []ManifestAt{{Key: key("a"), Revision: 3, Digest: "three"}}}}, 3, "three", Written},
		"after a run that died, another's":  {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Meant: []ManifestAt{{Key: key("a"), Revision: 3, Digest: "three"}}}}, 3, "old", Unwritten},
		"installed anew by others":          {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Releases: []ReleaseAt{gone}}}, 3, "other", Unwritten},
		"hidden while others were applied":  {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Releases: []ReleaseAt{hidden}}}, 3, "other", Altered},
		"replayed after it was uninstalled": {[]Revision{{Number: 1, Releases: []ReleaseAt{wrote("old")}}, {Number: 2, Releases: []ReleaseAt{gone}}}, 3, "old", Unwritten},
		"written before there were digests": {[]Revision{{Number: 1, Releases: []ReleaseAt{at("a", 3)}}}, 3, "three", Unwritten},
	} {
		m := &Manifests{}
		m.Learn(tc.revisions)
		if got := m.Judge(key("a"), tc.number, tc.digest); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

// What nobody vouches for must at least stay what a person was shown.
func TestWhatWasLookedAtMustNotChange(t *testing.T) {
	m := &Manifests{}
	if got := m.Judge(key("a"), 1, "shown"); got != Unwritten {
		t.Errorf("at first: %d", got)
	}
	if got := m.Judge(key("a"), 1, "another"); got != Altered {
		t.Errorf("changed behind the person's back: %d", got)
	}
	m.Wrote(key("a"), 2, "ours")
	m.Learn(nil)
	if got := m.Judge(key("a"), 2, "ours"); got != Written {
		t.Errorf("what this run wrote: %d", got)
	}
}

func TestTheReachOfARecordThatWeDidNotWrite(t *testing.T) {
	wide := fleet.Release{Key: key("wide"), Chart: fleet.ChartPlatform, Scope: fleet.ScopeCluster}
	set := desired(platform("a"), crds(), Target{Release: wide}).Set
	rendered := []chart.Object{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "x"}}
	for name, tc := range map[string]struct {
		key                    fleet.Key
		group, kind, namespace string
		beyond                 bool
	}{
		"its own namespace":            {key("a"), "apps", "Deployment", "a", false},
		"another's":                    {key("a"), "apps", "Deployment", "b", true},
		"a kind that its chart makes":  {key("a"), "rbac.authorization.k8s.io", "ClusterRole", "", false},
		"a kind that it does not make": {key("a"), "rbac.authorization.k8s.io", "ClusterRoleBinding", "", true},
		"a namespace":                  {key("a"), "", "Namespace", "", true},
		"an orphan in another's":       {key("z"), "apps", "Deployment", "b", true},
		"of a release of the cluster":  {key("wide"), "rbac.authorization.k8s.io", "ClusterRoleBinding", "", false},
		"of the CRDs":                  {crds().Key, "apiextensions.k8s.io", "CustomResourceDefinition", "", false},
	} {
		if why := ReachOf(set, tc.key).With(rendered).Beyond(tc.group, tc.kind, tc.namespace); (why != "") != tc.beyond {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// The journal tells what a run wrote and what it set out to write, and never
// forgets a release that is still there.
func TestTheJournalKeepsDigestsAndOrphans(t *testing.T) {
	ctx := context.Background()
	orphan := at("gone", 2)
	orphan.Manifest = "two"
	book := &notebook{revisions: []Revision{{Number: 1, Status: RevisionDone, Releases: []ReleaseAt{orphan}, Orphans: []fleet.Key{key("older"), key("a")}}}}
	target := platform("a")
	target.Rendered.Manifest = "kind: Thing"
	plan := mustPlan(t, &Snapshot{Targets: []Target{target}})
	r, err := Begin(ctx, book, plan, Intent{Description: "apply", By: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ManifestAt{{Key: key("a"), Revision: 1, Digest: ManifestDigest("kind: Thing")}}, r.Meant); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]fleet.Key{key("gone"), key("older")}, r.Orphans); diff != "" {
		t.Error(diff)
	}
	done := &Result{Outcomes: []Outcome{{Step: plan.Steps[0], State: StateDone, Record: Record{Key: key("a"), Revision: 1, Status: "deployed", Manifest: "one"}}}}
	if _, err := Finish(ctx, book, r, done); err != nil {
		t.Fatal(err)
	}
	m := &Manifests{}
	m.Learn(book.revisions)
	if !m.Knows(key("gone")) || !m.Knows(key("older")) || m.Knows(key("forged")) {
		t.Error("what the journal knows is not what it had")
	}
	if m.Digest(key("a"), 1) != "one" || m.Digest(key("gone"), 2) != "two" {
		t.Error("digests were lost")
	}
}

// An undo restores nothing that we did not write: nobody was asked about it.
func TestNoUndoRestoresWhatOthersWrote(t *testing.T) {
	before := deployed(platform("a"))
	plan := &Plan{Steps: []Step{{ID: "release a/p", Kind: StepRelease, Action: ActionUpgrade, Key: key("a"), target: platform("a"), last: before}}}
	result := &Result{Outcomes: []Outcome{{Step: plan.Steps[0], State: StateDone, Record: Record{Key: key("a"), Revision: 4, Status: "deployed"}}}}
	undo := Undo(plan, result, nil)
	if undo.Plan.Changes() || len(undo.Lost) != 1 || !strings.Contains(undo.Lost[0], "its Helm revision 3 was not written by wheelhouse") {
		t.Errorf("%+v %q", undo.Plan.Steps, undo.Lost)
	}
	if got := strings.Join(ForeseeUndo(plan), "\n"); !strings.Contains(got, "release a/p") || !strings.Contains(got, "not written by wheelhouse") {
		t.Errorf("foreseen: %s", got)
	}
	result.Outcomes[0].Step.returnable, plan.Steps[0].returnable = true, true
	if undo := Undo(plan, result, nil); !undo.Plan.Changes() {
		t.Errorf("what we wrote: %q", undo.Lost)
	}
	if got := strings.Join(ForeseeUndo(plan), "\n"); got != "release a/p: rollback (back to Helm revision 3)" {
		t.Errorf("foreseen: %s", got)
	}
}
