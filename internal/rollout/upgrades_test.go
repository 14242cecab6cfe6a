package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// umbrella is a platform with dependencies, one of them under another name.
func umbrella(t *testing.T, version, nats, grove string) *chart.Chart {
	t.Helper()
	files := fstest.MapFS{
		"p/Chart.yaml": {Data: []byte("apiVersion: v2\nname: dynamo-platform\nversion: " + version + "\ndependencies:\n" +
			"  - {name: own, version: " + version + ", repository: 'file://own'}\n" +
			"  - {name: nats, version: " + nats + ", repository: 'https://example.com', condition: nats.enabled}\n" +
			"  - {name: grove-charts, alias: grove, version: " + grove + ", repository: 'https://example.com', condition: grove.enabled}\n" +
			"  - {name: etcd, version: 12.0.18, repository: 'https://example.com', condition: etcd.enabled}\n")},
		"p/own/Chart.yaml":                 {Data: []byte("{apiVersion: v2, name: own, version: " + version + "}")},
		"p/charts/nats/Chart.yaml":         {Data: []byte("{apiVersion: v2, name: nats, version: " + nats + "}")},
		"p/charts/grove-charts/Chart.yaml": {Data: []byte("{apiVersion: v2, name: grove-charts, version: " + grove + "}")},
	}
	c, err := chart.OpenFS(files, "p")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// recorded is what Helm records of a chart: processed, without what was off, and with
// aliases in place of names.
func recorded(t *testing.T, c *chart.Chart, values map[string]any) *Stored {
	t.Helper()
	rendered, err := c.Render(chart.Release{Name: "p", Namespace: "a"}, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	source := rendered.Source()
	return &Stored{Chart: source.Name(), Version: source.Metadata.Version, Parts: chart.RecordedParts(source)}
}

func TestUpgradesAreThoseOfWhatStaysOn(t *testing.T) {
	both := map[string]any{"nats": map[string]any{"enabled": true}, "grove": map[string]any{"enabled": true}, "etcd": map[string]any{"enabled": false}}
	noGrove := map[string]any{"nats": map[string]any{"enabled": true}, "grove": map[string]any{"enabled": false}, "etcd": map[string]any{"enabled": false}}
	own := check.Upgrade{Release: key("a"), Chart: "dynamo-platform", From: "0.9.0", To: "1.0.0"}
	nats := check.Upgrade{Release: key("a"), Part: "nats", Chart: "nats", From: "0.19.17", To: "1.3.2"}
	grove := check.Upgrade{Release: key("a"), Part: "grove", Chart: "grove-charts", From: "v0.1.0-alpha.12", To: "v0.1.0-alpha.6"}
	old, wanted := umbrella(t, "0.9.0", "0.19.17", "v0.1.0-alpha.12"), umbrella(t, "1.0.0", "1.3.2", "v0.1.0-alpha.6")
	for _, test := range []struct {
		name     string
		was, now map[string]any
		want     []check.Upgrade
	}{
		{"on, and stay on", both, both, []check.Upgrade{own, nats, grove}},
		{"one comes", noGrove, both, []check.Upgrade{own, nats}},
		{"one goes", both, noGrove, []check.Upgrade{own, nats}},
	} {
		t.Run(test.name, func(t *testing.T) {
			values, err := fleet.ParseValues("f.yaml", fleet.LayerPlatform, []byte(yamlOf(test.now)))
			if err != nil {
				t.Fatal(err)
			}
			rel := fleet.Release{Key: key("a"), Values: values}
			if diff := cmp.Diff(test.want, upgrades(recorded(t, old, test.was), rel, wanted)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := upgrades(&Stored{Chart: "another", Version: "1.0.0"}, fleet.Release{Key: key("a")}, wanted); got[0].From != "another 1.0.0" || got[0].Judge().Verdict != transition.Unknown {
		t.Errorf("another chart in its place: %+v", got)
	}
	if got := upgrades(&Stored{Chart: "dynamo-platform"}, fleet.Release{Key: key("a")}, wanted); got[0].Judge().Verdict != transition.Unknown {
		t.Errorf("a damaged record: %+v", got)
	}
}

func yamlOf(values map[string]any) string {
	var out strings.Builder
	for name, v := range values {
		on := "false"
		if v.(map[string]any)["enabled"] == true {
			on = "true"
		}
		out.WriteString(name + ": {enabled: " + on + "}\n")
	}
	return out.String()
}

// What is blocked stops the plan, or, for who keeps going, leaves its release; what is
// not known is a warning.
func TestUpgradesAreJudgedInAPlan(t *testing.T) {
	blocked := check.Upgrade{Release: key("a"), Chart: "dynamo-crds", From: "1.0.0", To: "0.9.0"}
	unknown := check.Upgrade{Release: key("b"), Chart: "mine", From: "1.0.0", To: "2.0.0"}
	plan := func() *Plan {
		p := &Plan{}
		for _, u := range []check.Upgrade{blocked, unknown} {
			p.Steps = append(p.Steps, Step{ID: releaseID(u.Release), Kind: StepRelease, Action: ActionUpgrade, Key: u.Release, target: platform(u.Release.Namespace), Upgrades: []check.Upgrade{u}})
		}
		return p
	}
	p := plan()
	p.judgeUpgrades()
	if err := p.Blocked(); err == nil || !strings.Contains(err.Error(), "dynamo-crds from 1.0.0 to 0.9.0 is blocked") || strings.Contains(err.Error(), "mine") {
		t.Errorf("Blocked: %v", err)
	}
	if got := p.Findings.With(check.Warning); len(got) != 1 || !strings.Contains(got[0].Message, "mine from 1.0.0 to 2.0.0 is unknown: there are no records of the chart mine") {
		t.Errorf("warnings: %v", got)
	}
	if _, err := SavePlan(p, PlanOptions{}, "f", "c", "v"); err == nil {
		t.Error("a plan that is blocked is saved")
	}
	p = plan()
	p.leaveRefused()
	p.judgeUpgrades()
	if p.Blocked() != nil || !strings.Contains(p.Steps[0].Left, "is blocked") || p.Steps[1].Left != "" {
		t.Errorf("who keeps going: %v, left %q and %q", p.Blocked(), p.Steps[0].Left, p.Steps[1].Left)
	}
	saved := &SavedPlan{Plan: plan()}
	if ways := saved.Ways(); len(ways.Ways) != 2 || ways.Fine() || ways.Ways[0].Verdict != transition.Blocked {
		t.Errorf("a saved plan: %+v", ways)
	}
}

// filed is a cluster with records.
type filed struct {
	records map[fleet.Key]Record
	stored  map[fleet.Key]*Stored
	// broken are records that cannot be read.
	broken map[fleet.Key]error

	mutex sync.Mutex
	read  []fleet.Key
}

func (f *filed) Inventory(context.Context) (map[fleet.Key]Record, error) { return f.records, nil }

func (f *filed) Stored(_ context.Context, key fleet.Key, _ int) (*Stored, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.read = append(f.read, key)
	return f.stored[key], f.broken[key]
}

func TestWaysOfAFleetAndOfACluster(t *testing.T) {
	old, wanted := umbrella(t, "0.9.0", "1.3.2", "v0.1.0-alpha.6"), umbrella(t, "1.0.0", "1.3.2", "v0.1.0-alpha.6")
	on := map[string]any{"nats": map[string]any{"enabled": true}, "grove": map[string]any{"enabled": false}, "etcd": map[string]any{"enabled": false}}
	values, err := fleet.ParseValues("f.yaml", fleet.LayerPlatform, []byte(yamlOf(on)))
	if err != nil {
		t.Fatal(err)
	}
	release := func(namespace string) fleet.Release {
		return fleet.Release{Key: key(namespace), Chart: fleet.ChartPlatform, Values: values}
	}
	d := &Desired{Identity: Identity{Set: &fleet.Set{Releases: []fleet.Release{release("a"), release("b"), release("c")}}}, Charts: map[string]*chart.Chart{fleet.ChartPlatform: wanted}}
	cluster := &filed{
		records: map[fleet.Key]Record{
			key("a"): {Key: key("a"), Chart: "dynamo-platform-0.9.0", Status: HelmDeployed, Digest: Digest{Chart: "other"}},
			key("b"): {Key: key("b"), Chart: "dynamo-platform-1.0.0", Status: HelmDeployed, Digest: Digest{Chart: wanted.DigestFor(values.PlainMap())}},
			key("x"): {Key: key("x"), Chart: "podinfo-6.0.0", Status: HelmDeployed},
			key("y"): {Key: key("y"), Status: HelmDeployed},
		},
		stored: map[fleet.Key]*Stored{key("a"): recorded(t, old, on), key("b"): recorded(t, wanted, on), key("y"): {Chart: "foreign", Version: "1.0.0"}},
	}
	ways, err := WaysTo(t.Context(), d, cluster)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, way := range ways.Ways {
		got = append(got, way.Release.Namespace+": "+way.String()+" is "+string(way.Verdict))
	}
	want := []string{
		"a: dynamo-platform from 0.9.0 to 1.0.0 is manual", "a: nats from 1.3.2 to 1.3.2 is unchanged",
		"b: dynamo-platform from 1.0.0 to 1.0.0 is unchanged", "b: nats from 1.3.2 to 1.3.2 is unchanged",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(ways.New, []fleet.Key{key("c")}) || !slices.Equal(cluster.read, []fleet.Key{key("a")}) {
		t.Errorf("new: %v, read: %v", ways.New, cluster.read)
	}
	if ways, err = WaysToCharts(t.Context(), map[string]*chart.Chart{"dynamo-platform": wanted}, cluster); err != nil || len(ways.Ways) != 4 || ways.Ways[0].Verdict != transition.Manual {
		t.Errorf("of the cluster: %+v, %v", ways, err)
	}

	// Whoever breaks a record in a namespace keeps nobody from hearing of the others.
	cluster.broken = map[fleet.Key]error{key("a"): errors.New("it was altered")}
	for name, read := range map[string]func() (*Ways, error){
		"the fleet": func() (*Ways, error) { return WaysTo(t.Context(), d, cluster) },
		"the cluster": func() (*Ways, error) {
			return WaysToCharts(t.Context(), map[string]*chart.Chart{"dynamo-platform": wanted}, cluster)
		},
	} {
		ways, err := read()
		if err != nil || len(ways.Ways) != 3 || ways.Fine() || ways.Ways[0].Verdict != transition.Unknown || !strings.Contains(ways.Ways[0].Because, "it was altered") || ways.Ways[1].Verdict != transition.Unchanged {
			t.Errorf("%s: %+v, %v", name, ways, err)
		}
	}
}
