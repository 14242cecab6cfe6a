package rollout

import (
	"context"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

func TestAReturnWaitsForTheClaimOnTheNamespaceThatIsServed(t *testing.T) {
	key := fleet.Key{Namespace: "team-a-platform", Name: "dynamo-platform"}
	operator := chart.Object{Kind: "Deployment", Labels: map[string]string{marks.PartOf: marks.PartOfOperator}}
	back := &RollbackPlan{Plan: &Plan{Steps: []Step{{
		ID: releaseID(key), Kind: StepRelease, Action: ActionRollback, Key: key,
		target: Target{Release: fleet.Release{Key: key}, Rendered: &chart.Rendered{Objects: []chart.Object{operator}}},
	}}}}
	back.AddGates(&fleet.Set{Releases: []fleet.Release{{Key: key, Chart: fleet.ChartPlatform, Scope: fleet.ScopeNamespace, Serves: "team-a"}}})
	if len(back.Plan.Steps) != 2 {
		t.Fatalf("%d steps", len(back.Plan.Steps))
	}
	if got := markerOf(back.Plan.Steps[1].target); got != "team-a" {
		t.Errorf("the gate waits for a claim on %q", got)
	}
}

// kept are the revisions that Helm keeps of a release; 0 is the newest.
type kept map[int]*Stored

func (k kept) Stored(_ context.Context, _ fleet.Key, revision int) (*Stored, error) {
	return k[revision], nil
}

// A way back is a way, too: what is known of it is told, and refuses nothing.
func TestARollbackTellsOfItsWays(t *testing.T) {
	key := fleet.Key{Namespace: "default", Name: "dynamo-crds"}
	back := func(then string) *RollbackPlan {
		r := &RollbackPlan{Plan: &Plan{Steps: []Step{{ID: releaseID(key), Kind: StepRelease, Action: ActionRollback, Key: key, Revision: 1}}}}
		if err := r.Read(t.Context(), kept{0: {Chart: "dynamo-crds", Version: "1.0.0"}, 1: {Chart: "dynamo-crds", Version: then}}, RollbackOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Blocked(); err != nil {
			t.Errorf("the way to %s refuses the rollback: %v", then, err)
		}
		return r
	}
	ways := back("0.9.0").Ways().Ways
	if len(ways) != 1 || ways[0].Verdict != transition.Blocked || ways[0].Because == "" || ways[0].From != "1.0.0" || ways[0].To != "0.9.0" {
		t.Errorf("%+v", ways)
	}
	if ways := back("1.0.0").Ways().Ways; len(ways) != 0 {
		t.Errorf("of the version that stays: %+v", ways)
	}
}
