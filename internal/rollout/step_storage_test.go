package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
)

// The objects are written before the CRDs, after all that the CRDs wait for, and what
// the API server has against the CRD for its objects alone is no refusal any more.
func TestObjectsAreWrittenBeforeTheirVersionEnds(t *testing.T) {
	report := &crdsafety.Report{Name: "chats.example.com", Move: &crdsafety.Move{From: []string{"v1", "v2"}, To: "v3", Objects: 7}}
	refused := func(name string, stored bool) Change {
		return Change{Action: ChangeRefused, Kind: kindCRD, Name: name, Reason: "no", Stored: stored}
	}
	plan := &Plan{Steps: []Step{
		{ID: "namespace a", Kind: StepNamespace, Action: ActionCreate},
		{
			ID: "release a/crds", Kind: StepRelease, Action: ActionUpgrade, Needs: []string{"namespace a"}, Definitions: []*crdsafety.Report{report},
			Changes: []Change{refused("chats.example.com", true), refused("talks.example.com", true), refused("words.example.com", false)},
		},
		{ID: "release b/platform", Kind: StepRelease, Action: ActionUpgrade, Needs: []string{"release a/crds"}},
	}}
	plan.addMoves(Fields{})
	var order []string
	for _, step := range plan.Steps {
		order = append(order, step.ID+" after "+strings.Join(step.Needs, ", "))
	}
	want := []string{
		"namespace a after ", "storage chats.example.com after namespace a", "release a/crds after namespace a, storage chats.example.com",
		"release b/platform after release a/crds",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	move, release := plan.Steps[1], plan.Steps[2]
	if want := "objects may be stored in v1, v2, which end: 7 to write once more, so that all are stored in v3"; move.Reason != want {
		t.Errorf("%q", move.Reason)
	}
	var actions []ChangeAction
	for _, change := range release.Changes {
		actions = append(actions, change.Action)
	}
	if diff := cmp.Diff([]ChangeAction{ChangeUpdate, ChangeRefused, ChangeRefused}, actions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if command := plan.Apply(); command != "wheelhouse apply --migrate-storage chats.example.com" {
		t.Error(command)
	}
	var rights []string
	for _, need := range (storageKind{}).needs(&move, true) {
		rights = append(rights, strings.Join(need.Verbs, ",")+" "+need.Resource+"."+need.Group)
	}
	wantRights := []string{"get,patch customresourcedefinitions.apiextensions.k8s.io", "patch customresourcedefinitions/status.apiextensions.k8s.io", "list,patch chats.example.com"}
	if diff := cmp.Diff(wantRights, rights); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		agreed  []string
		crds    []string
		objects int
	}{{nil, []string{"chats.example.com"}, 7}, {[]string{"talks.example.com"}, []string{"chats.example.com"}, 7}, {[]string{"chats.example.com"}, nil, 0}} {
		if crds, objects := plan.Unmoved(test.agreed); cmp.Diff(test.crds, crds) != "" || objects != test.objects {
			t.Errorf("%v: %v, %d", test.agreed, crds, objects)
		}
	}
}
