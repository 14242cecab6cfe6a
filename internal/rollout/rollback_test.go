package rollout

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
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
