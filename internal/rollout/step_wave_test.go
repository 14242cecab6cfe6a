package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// waved is a platform in a wave.
func waved(namespace, wave string) Target {
	t := platform(namespace)
	t.Wave = wave
	return t
}

func wavePlan(t *testing.T) *Plan {
	t.Helper()
	after := later("a")
	after.Wave = "canary"
	s := &Snapshot{
		Targets:    []Target{crds(), platform("z"), waved("m", "main"), waved("a", "canary"), after},
		Records:    map[fleet.Key]Record{key("m"): deployed(platform("m"))},
		Namespaces: map[string]NamespaceState{"z": NamespaceAbsent, "a": NamespaceAbsent},
	}
	d := desired(s.Targets...)
	d.Set.Waves = []string{"canary", "main", ""}
	plan, err := NewPlan(d, s)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func lines(plan *Plan) []string {
	var out []string
	for _, s := range plan.Steps {
		out = append(out, string(s.Action)+" "+s.ID+" | "+strings.Join(s.Needs, ", "))
	}
	return out
}

func TestAWaveWaitsForTheOnesBefore(t *testing.T) {
	want := []string{
		"create namespace a | ",
		"create namespace z | ",
		"install release default/crds | ",
		"wait gate default/crds | release default/crds",
		"install release z/p | namespace z, gate default/crds, wave main",
		"wait gate z/p | release z/p",
		"unchanged release m/p | gate default/crds, wave canary",
		"wait gate m/p | release m/p",
		"install release a/p | namespace a, gate default/crds",
		"wait gate a/p | release a/p",
		"install release a/later | namespace a, gate default/crds, gate a/p",
		"wait gate a/later | release a/later",
		"wait wave canary | gate a/p, gate a/later",
		"wait wave main | wave canary, gate m/p",
	}
	if diff := cmp.Diff(want, lines(wavePlan(t))); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedWaveStopsTheNext(t *testing.T) {
	w := &world{fail: map[string]error{"await a/p": errors.New("boom")}}
	r := Execute(context.Background(), wavePlan(t), w, w, Options{NoWait: true})
	for _, id := range []string{"release a/later", "release m/p", "release z/p"} {
		i := slices.IndexFunc(r.Outcomes, func(o Outcome) bool { return o.Step.ID == id })
		if o := r.Outcomes[i]; o.State != StateSkipped || o.Err.Error() != "skipped because of gate a/p" {
			t.Errorf("%s: %s %v", id, o.State, o.Err)
		}
	}
	if w.did("apply z/p") {
		t.Error("a later wave was applied")
	}
}

func TestUntilLeavesLaterWaves(t *testing.T) {
	plan := wavePlan(t)
	waves := []string{"canary", "main", ""}
	if err := plan.Until("canary", waves); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"create namespace a | ",
		"install release default/crds | ",
		"wait gate default/crds | release default/crds",
		"later release z/p | ",
		"later release m/p | ",
		"install release a/p | namespace a, gate default/crds",
		"wait gate a/p | release a/p",
		"install release a/later | namespace a, gate default/crds, gate a/p",
		"wait gate a/later | release a/later",
	}
	if diff := cmp.Diff(want, lines(plan)); diff != "" {
		t.Error(diff)
	}
	// The journal must not take what was left for what was there.
	book := &notebook{}
	if _, err := Begin(context.Background(), book, plan, Intent{Description: "apply", By: "me"}); err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, rel := range book.revisions[0].Releases {
		at[rel.String()] = string(rel.Status)
	}
	if at["z/p"] != "uninstalled" || at["m/p"] != "deployed" {
		t.Errorf("journal: %v", at)
	}
	if err := wavePlan(t).Until("canari", waves); err == nil || err.Error() != `there is no wave "canari"; the fleet has: canary, main` {
		t.Errorf("got %v", err)
	}
}

func TestSerialKeepsTheOrderOfThePlan(t *testing.T) {
	w := &world{}
	plan := mustPlan(t, &Snapshot{Targets: []Target{crds(), platform("b"), platform("a"), platform("c")}})
	for range 5 {
		w.log = nil
		Execute(context.Background(), plan, w, w, Options{Serial: true})
		want := []string{
			"apply default/crds", "await default/crds", "apply b/p", "await b/p", "apply a/p", "await a/p", "apply c/p", "await c/p",
		}
		if diff := cmp.Diff(want, w.log); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestCriticalPathIsTheChainThatTookTheTime(t *testing.T) {
	start := time.Unix(100, 0)
	outcome := func(id string, from, took int, needs ...string) Outcome {
		return Outcome{Step: Step{ID: id, Needs: needs}, Started: start.Add(time.Duration(from) * time.Second), Took: time.Duration(took) * time.Second}
	}
	r := &Result{Outcomes: []Outcome{
		outcome("crds", 0, 2), outcome("a", 2, 1, "crds"), outcome("gate a", 3, 9, "a"), outcome("b", 2, 2, "crds"), outcome("gate b", 4, 1, "b"),
		outcome("last", 14, 1, "gate a", "gate b"), {Step: Step{ID: "skipped", Needs: []string{"last"}}, State: StateSkipped},
	}}
	var got []string
	for _, o := range r.CriticalPath() {
		got = append(got, o.Step.ID)
	}
	if diff := cmp.Diff([]string{"crds", "a", "gate a", "last"}, got); diff != "" {
		t.Error(diff)
	}
	if r.Took() != 15*time.Second {
		t.Errorf("took %s", r.Took())
	}
}
