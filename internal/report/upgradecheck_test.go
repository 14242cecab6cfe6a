package report

import (
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// Releases that go the same way are one row, and what is not fine says why, what to
// do, and what comes next.
func TestGoldenUpgradeCheck(t *testing.T) {
	way := func(namespace, chart, from, to string, j transition.Judgement) rollout.Way {
		u := check.Upgrade{Release: fleet.Key{Namespace: namespace, Name: "dynamo-platform"}, Chart: chart, From: from, To: to}
		return rollout.Way{Upgrade: u, Judgement: j}
	}
	manual := transition.Judgement{Verdict: transition.Manual, Because: "keys moved", Steps: []string{"move them", "look at them"}}
	ways := &rollout.Ways{
		Ways: []rollout.Way{
			way("team-a", "dynamo-platform", "1.0.0", "1.0.0", transition.Judgement{Verdict: transition.Unchanged}),
			way("team-a", "nats", "0.19.17", "1.3.2", manual),
			way("team-b", "nats", "0.19.17", "1.3.2", manual),
			way("team-a", "etcd", "12.0.18", "13.0.0", transition.Judgement{Verdict: transition.Unknown, Because: "nobody has looked at etcd 13.0.0"}),
			way("team-a", "grove-charts", "v2.0.0", "v1.0.0", transition.Judgement{Verdict: transition.Blocked, Because: "it loses data"}),
			way("team-a", "kai-scheduler", "v1.0.0", "v1.1.0", transition.Judgement{Verdict: transition.Safe, Test: "TestKAI"}),
		},
		New: []fleet.Key{{Namespace: "team-c", Name: "dynamo-platform"}},
	}
	var out strings.Builder
	if err := UpgradeCheck(&out, ways); err != nil {
		t.Fatal(err)
	}
	want := `CHART             RELEASES                                              FROM      TO       VERDICT
dynamo-platform   team-a/dynamo-platform                                1.0.0     1.0.0    unchanged
nats              team-a/dynamo-platform, team-b/dynamo-platform        0.19.17   1.3.2    manual
etcd              team-a/dynamo-platform                                12.0.18   13.0.0   unknown
grove-charts      team-a/dynamo-platform                                v2.0.0    v1.0.0   blocked
kai-scheduler     team-a/dynamo-platform                                v1.0.0    v1.1.0   safe

nats from 0.19.17 to 1.3.2 is manual: keys moved.
  1. move them
  2. look at them
  Next: do these steps, then ` + "`wheelhouse apply`" + `

etcd from 12.0.18 to 13.0.0 is unknown: nobody has looked at etcd 13.0.0.
  Next: try it on a copy of the cluster first; ` + "`wheelhouse plan -o diff`" + ` shows what changes

grove-charts from v2.0.0 to v1.0.0 is blocked: it loses data.
  Next: keep grove-charts v2.0.0, with spec.charts of the fleet file or the program of that time

kai-scheduler from v1.0.0 to v1.1.0 is safe: TestKAI has gone that way.

1 release is not installed: nothing to go from.
`
	if got := out.String(); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if ways.Fine() {
		t.Error("that is not fine")
	}
}

// A rollback warns of alike ways once, with what they ask of people, and not of those
// that are fine.
func TestARollbackWarnsOfItsWays(t *testing.T) {
	of := func(namespace, chart string, verdict transition.Verdict) rollout.Way {
		u := check.Upgrade{Release: fleet.Key{Namespace: namespace, Name: "dynamo-platform"}, Chart: chart, From: "2.0.0", To: "1.0.0"}
		return rollout.Way{Upgrade: u, Judgement: transition.Judgement{Verdict: verdict, Because: "keys moved", Steps: []string{"move them back"}}}
	}
	var out strings.Builder
	ways := &rollout.Ways{Ways: []rollout.Way{of("team-a", "nats", transition.Manual), of("team-b", "nats", transition.Manual), of("team-a", "etcd", transition.Safe)}}
	if err := waysBack(&out, ways); err != nil {
		t.Fatal(err)
	}
	want := "warning: the way back of team-a/dynamo-platform, team-b/dynamo-platform:\nnats from 2.0.0 to 1.0.0 is manual: keys moved.\n  1. move them back\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
