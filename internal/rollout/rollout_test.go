package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func key(namespace string) fleet.Key { return fleet.Key{Namespace: namespace, Name: "p"} }

func platform(namespace string) Target {
	return Target{
		Release:   fleet.Release{Key: key(namespace), Chart: fleet.ChartPlatform, Scope: fleet.ScopeNamespace},
		Rendered:  &chart.Rendered{Objects: []chart.Object{{Kind: "Deployment", Name: "d"}}},
		Digest:    Digest{Chart: "c1", Values: "v1"},
		FleetName: "f",
	}
}

func crds() Target {
	return Target{
		Release:   fleet.Release{Key: fleet.Key{Namespace: "default", Name: "crds"}, Chart: fleet.ChartCRDs},
		Rendered:  &chart.Rendered{Objects: []chart.Object{{Kind: "CustomResourceDefinition", Name: "xs.example.com"}}},
		Digest:    Digest{Chart: "c0", Values: "v0"},
		FleetName: "f",
	}
}

func deployed(target Target) Record {
	return Record{Key: target.Key, Revision: 3, Status: "deployed", Fleet: "f", Ours: true, Digest: target.Digest}
}

func TestDecide(t *testing.T) {
	target := platform("a")
	with := func(change func(*Record)) *Record {
		r := deployed(target)
		change(&r)
		return &r
	}
	for _, test := range []struct {
		name   string
		last   *Record
		damage string
		action Action
		reason string
	}{
		{"nothing there", nil, "", ActionInstall, "not installed"},
		{"as it should be", with(func(*Record) {}), "", ActionUnchanged, ""},
		{"objects gone", with(func(*Record) {}), "Service/a/s is missing", ActionRepair, "Service/a/s is missing"},
		{"pending", with(func(r *Record) { r.Status = "pending-upgrade" }), "", ActionRepair, "an earlier client left it pending-upgrade"},
		{"failed", with(func(r *Record) { r.Status = "failed" }), "", ActionUpgrade, "the last attempt failed"},
		{"uninstalled, history kept", with(func(r *Record) { r.Status = "uninstalled" }), "", ActionInstall, "it is uninstalled"},
		{"plain Helm's", with(func(r *Record) { r.Ours, r.Digest = false, Digest{} }), "", ActionAdopt, "installed by another program so far"},
		{"rolled back by hand", with(func(r *Record) { r.Digest = Digest{} }), "", ActionUpgrade, "revision 3 was made by another program"},
		{"another fleet's", with(func(r *Record) { r.Fleet = "g" }), "", ActionAdopt, "belongs to fleet g so far"},
		{"two clients wrote it", with(func(r *Record) { r.Rival = 2 }), "", ActionRepair, "revisions 2 and 3 both say that they are deployed"},
		{"new chart", with(func(r *Record) { r.Digest.Chart = "old" }), "", ActionUpgrade, "chart changed"},
		{"new values", with(func(r *Record) { r.Digest.Values = "old" }), "", ActionUpgrade, "values changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			records := map[fleet.Key]Record{}
			if test.last != nil {
				records[target.Key] = *test.last
			}
			action, reason := decide(target, records, test.damage)
			if action != test.action || reason != test.reason {
				t.Errorf("got %s (%s), want %s (%s)", action, reason, test.action, test.reason)
			}
		})
	}
}

func desired(targets ...Target) *Desired {
	d := &Desired{Identity: Identity{Set: &fleet.Set{Name: "f"}, Fleet: &fleet.Fleet{Name: "f"}}}
	for _, target := range targets {
		d.Set.Releases = append(d.Set.Releases, target.Release)
	}
	return d
}

func mustPlan(t *testing.T, s *Snapshot) *Plan {
	t.Helper()
	plan, err := NewPlan(desired(s.Targets...), s)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Nodes are prepared once the platform is ready, and for nobody else's sake.
func TestChrekFollowsItsPlatform(t *testing.T) {
	chrek := Target{
		Release:  fleet.Release{Key: fleet.Key{Namespace: "a", Name: "chrek"}, Chart: fleet.ChartChrek, After: []fleet.Key{key("a")}},
		Rendered: &chart.Rendered{Objects: []chart.Object{{Kind: "DaemonSet", Name: "d"}}}, FleetName: "f",
	}
	plan := mustPlan(t, &Snapshot{Targets: []Target{crds(), platform("a"), chrek, platform("b")}})
	var got []string
	for _, s := range plan.Steps {
		got = append(got, s.ID+" | "+strings.Join(s.Needs, ", "))
	}
	want := []string{
		"release default/crds | ",
		"gate default/crds | release default/crds",
		"release a/p | gate default/crds",
		"gate a/p | release a/p",
		"release a/chrek | gate default/crds, gate a/p",
		"gate a/chrek | release a/chrek",
		"release b/p | gate default/crds",
		"gate b/p | release b/p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlanIsAGraph(t *testing.T) {
	plan := mustPlan(t, &Snapshot{
		Targets:    []Target{crds(), platform("a"), platform("b")},
		Records:    map[fleet.Key]Record{key("b"): deployed(platform("b")), {Namespace: "z", Name: "p"}: {Key: key("z"), Revision: 1, Status: "deployed", Fleet: "f", Known: true}, key("y"): {Key: key("y"), Revision: 1, Status: "deployed", Fleet: "f"}},
		Namespaces: map[string]NamespaceState{"default": NamespaceActive, "a": NamespaceAbsent, "b": NamespaceActive},
	})
	var got []string
	for _, s := range plan.Steps {
		got = append(got, s.ID+" | "+string(s.Action)+" | "+strings.Join(s.Needs, ", "))
	}
	want := []string{
		"namespace a | create | ",
		"release default/crds | install | ",
		"gate default/crds | wait | release default/crds",
		"release a/p | install | namespace a, gate default/crds",
		"gate a/p | wait | release a/p",
		"release b/p | unchanged | gate default/crds",
		"gate b/p | wait | release b/p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(plan.Orphans) != 1 || plan.Orphans[0].Key != key("z") {
		t.Errorf("orphans: %v", plan.Orphans)
	}
	if len(plan.Unproven) != 1 || plan.Unproven[0].Key != key("y") {
		t.Errorf("only they themselves say that they are of the fleet: %v", plan.Unproven)
	}
}

func TestTerminatingNamespaceStopsEverything(t *testing.T) {
	s := &Snapshot{Targets: []Target{platform("a")}, Namespaces: map[string]NamespaceState{"a": NamespaceTerminating}}
	_, err := NewPlan(desired(s.Targets...), s)
	if err == nil || !strings.Contains(err.Error(), "namespace a is being deleted") {
		t.Errorf("got %v", err)
	}
}

// world is a cluster in memory that records what it is asked.
type world struct {
	// converted are the CRDs whose objects are converted.
	converted []string
	mutex     sync.Mutex
	log       []string
	// fail makes an operation fail, block makes it wait for a channel.
	fail  map[string]error
	block map[string]chan struct{}
}

func (w *world) do(ctx context.Context, what string) error {
	w.mutex.Lock()
	w.log = append(w.log, what)
	block, err := w.block[what], w.fail[what]
	w.mutex.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (w *world) CreateNamespace(ctx context.Context, name string) error {
	return w.do(ctx, "create "+name)
}
func (w *world) DeleteNamespace(ctx context.Context, name string, _ time.Duration, _ func(string)) (string, error) {
	return "it is in use", w.do(ctx, "delete "+name)
}
func (w *world) Refresh() {}

func (w *world) ConvertedBy(context.Context, fleet.Key) ([]string, error) { return w.converted, nil }

func (w *world) ApplyCRDs(ctx context.Context, crds []chart.Object, _ Fields) error {
	return w.do(ctx, "apply crds "+strings.Join(crdNames(crds), ","))
}
func (w *world) DeleteCRDs(ctx context.Context, crds []string, _ time.Duration, _ func(string)) error {
	return w.do(ctx, "delete crds "+strings.Join(crds, ","))
}
func (w *world) MoveStorage(ctx context.Context, move Relocation, _ func(string)) (string, error) {
	return "all are stored in " + move.To, w.do(ctx, "move "+move.CRD)
}
func (w *world) DeleteGraph(ctx context.Context, g Graph, _ time.Duration, _ func(string)) error {
	return w.do(ctx, "delete graph "+g.Namespace+"/"+g.Name)
}
func (w *world) DeleteClaims(ctx context.Context, namespace string, names []string) error {
	return w.do(ctx, "delete claims "+namespace+"/"+strings.Join(names, ","))
}
func (w *world) KeepAuthority(ctx context.Context, authority Authority) error {
	return w.do(ctx, "keep "+authority.SecretName())
}
func (w *world) Stored(context.Context, fleet.Key, int) (*Stored, error) { return nil, nil }
func (w *world) Rollback(ctx context.Context, key fleet.Key, revision int) (Record, error) {
	return Record{Key: key, Status: HelmDeployed}, w.do(ctx, fmt.Sprintf("rollback %s to %d", key, revision))
}
func (w *world) Uninstall(ctx context.Context, key fleet.Key) ([]string, error) {
	return []string{"Secret/a/kept"}, w.do(ctx, "uninstall "+key.String())
}
func (w *world) AwaitReady(ctx context.Context, gate Gate, _ func(string)) error {
	return w.do(ctx, "await "+gate.Release.String())
}
func (w *world) Apply(ctx context.Context, target Target, last Record) (Record, error) {
	last.Revision++
	return last, w.do(ctx, "apply "+target.String())
}

func run(ctx context.Context, t *testing.T, w *world, targets ...Target) *Result {
	t.Helper()
	namespaces := map[string]NamespaceState{}
	plan := mustPlan(t, &Snapshot{Targets: targets, Namespaces: namespaces})
	return Execute(ctx, plan, w, w, Options{})
}

func states(r *Result) map[string]State {
	out := map[string]State{}
	for _, o := range r.Outcomes {
		out[o.Step.ID] = o.State
	}
	return out
}

func TestAFailedBranchHoldsNobodyElse(t *testing.T) {
	w := &world{fail: map[string]error{"apply a/p": errors.New("boom")}}
	r := run(context.Background(), t, w, crds(), platform("a"), platform("b"))
	want := map[string]State{
		"release default/crds": StateDone, "gate default/crds": StateDone,
		"release a/p": StateFailed, "gate a/p": StateSkipped, "release b/p": StateDone, "gate b/p": StateDone,
	}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Error(diff)
	}
	if r.Err() == nil || r.Err().Error() != "release a/p: boom" {
		t.Errorf("error: %v", r.Err())
	}
}

func TestSkippedStepsNameTheCulprit(t *testing.T) {
	w := &world{fail: map[string]error{"await default/crds": errors.New("boom")}}
	r := run(context.Background(), t, w, crds(), platform("a"))
	for _, o := range r.Outcomes {
		if o.Step.ID == "gate a/p" && o.Err.Error() != "skipped because of gate default/crds" {
			t.Errorf("got %v", o.Err)
		}
	}
	if slices.Contains(w.log, "apply a/p") {
		t.Error("a platform was applied without its CRDs")
	}
}

// A slow release must not delay another: b's gate opens while a is applied.
func TestStepsStartWhenTheirOwnNeedsAreMet(t *testing.T) {
	w := &world{block: map[string]chan struct{}{"apply a/p": make(chan struct{})}}
	done := make(chan *Result)
	go func() { done <- run(context.Background(), t, w, platform("a"), platform("b")) }()
	waitFor(t, func() bool { return w.did("await b/p") })
	close(w.block["apply a/p"])
	if r := <-done; r.Err() != nil {
		t.Error(r.Err())
	}
}

func (w *world) did(what string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Contains(w.log, what)
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("never happened")
		}
		time.Sleep(time.Millisecond)
	}
}

// An interrupt lets the Helm operation that runs finish and starts no other.
func TestInterruptStopsAtTheNextSafePoint(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{block: map[string]chan struct{}{"apply default/crds": make(chan struct{})}}
	done := make(chan *Result)
	go func() { done <- run(ctx, t, w, crds(), platform("a")) }()
	waitFor(t, func() bool { return w.did("apply default/crds") })
	cancel()
	close(w.block["apply default/crds"])
	r := <-done
	got := states(r)
	if got["release default/crds"] != StateDone {
		t.Errorf("the running operation ended as %s", got["release default/crds"])
	}
	if w.did("apply a/p") {
		t.Error("a release was started after the interrupt")
	}
	if !r.Interrupted {
		t.Error("the result does not say that it was interrupted")
	}
}
