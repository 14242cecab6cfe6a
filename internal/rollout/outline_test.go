package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// remembered is a cluster in which everything is as it was applied.
type remembered struct {
	Observer
	caps    *chart.Capabilities
	records map[fleet.Key]Record
	objects map[string]MarkedObject
}

func (w *remembered) Inventory(context.Context) (map[fleet.Key]Record, error) { return w.records, nil }

func (w *remembered) Namespaces(_ context.Context, names []string) (map[string]NamespaceState, error) {
	out := map[string]NamespaceState{}
	for _, name := range names {
		out[name] = NamespaceActive
	}
	return out, nil
}

func (w *remembered) Capabilities(context.Context) (*chart.Capabilities, error) { return w.caps, nil }

func (w *remembered) Lookup(context.Context) chart.Lookup { return nil }

func (w *remembered) Facts(context.Context, check.Wanted) (*check.Cluster, error) { return nil, nil }

func (w *remembered) AuthorityDue(context.Context, Authority) (string, error) { return "", nil }

func (w *remembered) Marked(_ context.Context, resources []string) (*Marked, error) {
	out := &Marked{Resources: map[string]bool{}, Objects: map[fleet.Key][]MarkedObject{}}
	for _, resource := range resources {
		out.Resources[resource] = true
	}
	for _, name := range slices.Sorted(maps.Keys(w.objects)) {
		o := w.objects[name]
		if key := marks.ReleaseIn(o.Live.Annotations); out.Resources[o.Resource] && o.Live.Labels[marks.ManagedBy] == marks.ManagedByHelm {
			out.Objects[key] = append(out.Objects[key], o)
		}
	}
	return out, nil
}

func (w *remembered) Find(_ context.Context, wanted map[fleet.Key][]chart.Object, _ map[string]bool, before *Marked) (map[fleet.Key][]Found, error) {
	out := map[fleet.Key][]Found{}
	for key, objects := range wanted {
		for _, o := range objects {
			found := foundFor(key, o)
			if live := before.Of(key, found); live != nil {
				found.Live = live
			} else if o, exists := w.objects[found.identity()]; exists {
				found.Live = o.Live
			}
			out[key] = append(out[key], found)
		}
	}
	return out, nil
}

func foundFor(key fleet.Key, o chart.Object) Found {
	namespace := cmp.Or(o.Namespace, key.Namespace)
	if check.ClusterScoped(o.Kind) {
		namespace = ""
	}
	return Found{Kind: o.Kind, Namespace: namespace, Name: o.Name, Resource: strings.ToLower(o.Kind) + "s"}
}

type onlyFile map[string]string

func (files onlyFile) Read(name string) ([]byte, error) { return []byte(files[name]), nil }

func (onlyFile) Glob(string) ([]string, error) { return nil, nil }

func tenants(t *testing.T, change string) *Desired {
	t.Helper()
	file := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  values: [{platform: {nats: {enabled: false}}}]\n" +
		"  platforms:\n    - namespace: a\n    - namespace: b\n" + change
	d, err := Read(Source{File: "fleet.yaml", Files: onlyFile{"fleet.yaml": file}, Charts: charts.FS(), Profiles: charts.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// applied is a cluster after an apply: everything is there, and the journal has
// what the apply has remembered.
func applied(t *testing.T) *remembered {
	t.Helper()
	w := &remembered{caps: chart.OfflineCapabilities(), records: map[fleet.Key]Record{}, objects: map[string]MarkedObject{}}
	s, err := Observe(t.Context(), tenants(t, ""), w, w, false)
	if err != nil {
		t.Fatal(err)
	}
	var written []ReleaseAt
	var resources []string
	for _, target := range s.Targets {
		written = append(written, ReleaseAt{Key: target.Key, Revision: 3, Outline: target.outline.Digest})
		resources = append(resources, target.outline.Resources...)
		for _, o := range target.Rendered.Objects {
			m := MarkedObject{APIVersion: o.APIVersion, Found: foundFor(target.Key, o)}
			m.Live = &Metadata{
				Labels:      map[string]string{marks.ManagedBy: marks.ManagedByHelm},
				Annotations: map[string]string{marks.ReleaseName: target.Name, marks.ReleaseNamespace: target.Namespace},
			}
			w.objects[m.identity()] = m
		}
	}
	var journal Manifests
	journal.Learn([]Revision{{Number: 1, Releases: written, Resources: resources}})
	for _, target := range s.Targets {
		record := deployed(target)
		record.Outline = journal.Outline(target.Key, record.Revision)
		w.records[target.Key] = record
	}
	return w
}

// A release is rendered unless all is as it was; whichever way a plan is made, it
// is the same.
func TestWhatIsAsItWasIsNotRendered(t *testing.T) {
	first := func(w *remembered, kind string) (string, MarkedObject) {
		for _, name := range slices.Sorted(maps.Keys(w.objects)) {
			if o := w.objects[name]; o.Kind == kind && o.Namespace == "a" {
				return name, o
			}
		}
		t.Fatalf("no %s in a", kind)
		return "", MarkedObject{}
	}
	alone := func(o MarkedObject) MarkedObject {
		live := *o.Live
		live.Labels, live.Annotations = maps.Clone(live.Labels), maps.Clone(live.Annotations)
		o.Live = &live
		return o
	}
	for name, tc := range map[string]struct {
		change   func(*remembered)
		fleet    string
		rendered []string
	}{
		"nothing changed": {},
		"an object is missing": {change: func(w *remembered) {
			name, _ := first(w, "Role")
			delete(w.objects, name)
		}, rendered: []string{"a"}},
		"an object lost its label": {change: func(w *remembered) {
			name, o := first(w, "Role")
			o = alone(o)
			delete(o.Live.Labels, marks.ManagedBy)
			w.objects[name] = o
		}, rendered: []string{"a"}},
		"another release has an object": {change: func(w *remembered) {
			name, o := first(w, "Role")
			o = alone(o)
			o.Live.Annotations[marks.ReleaseNamespace] = "elsewhere"
			w.objects[name] = o
		}, rendered: []string{"a"}},
		"an object goes": {change: func(w *remembered) {
			name, o := first(w, "Role")
			o = alone(o)
			o.Live.Deleting = true
			w.objects[name] = o
		}, rendered: []string{"a"}},
		"there is one more": {change: func(w *remembered) {
			_, o := first(w, "Role")
			o.Name = "more"
			w.objects[o.identity()] = o
		}, rendered: []string{"a"}},
		"another tenant forges its marks": {change: func(w *remembered) {
			_, o := first(w, "Role")
			o.Namespace = "mallory"
			w.objects[o.identity()] = o
		}},
		"another program keeps an object": {change: func(w *remembered) {
			name, o := first(w, "Role")
			o = alone(o)
			o.Live.Labels["kustomize.toolkit.fluxcd.io/name"] = "apps"
			w.objects[name] = o
		}},
		"the record is another's": {change: func(w *remembered) {
			record := w.records[fleet.Key{Namespace: "a", Name: "dynamo-platform"}]
			record.Digest.Values = "other"
			w.records[record.Key] = record
		}, rendered: []string{"a"}},
		"nothing is remembered": {change: func(w *remembered) {
			record := w.records[fleet.Key{Namespace: "a", Name: "dynamo-platform"}]
			record.Outline = Outline{}
			w.records[record.Key] = record
		}, rendered: []string{"a"}},
		"Kubernetes is another": {change: func(w *remembered) {
			caps, err := chart.CapabilitiesFor("1.35.0")
			if err != nil {
				t.Fatal(err)
			}
			w.caps = caps
		}, rendered: []string{"a", "b"}},
		"a kind has come that charts ask for": {change: func(w *remembered) {
			w.caps = w.caps.Copy()
			w.caps.APIVersions = append(slices.Clone(w.caps.APIVersions), "monitoring.coreos.com/v1", "monitoring.coreos.com/v1/PodMonitor")
		}, rendered: []string{"a", "b"}},
		"the fleet's own kinds have come": {change: func(w *remembered) {
			w.caps = w.caps.Copy()
			w.caps.APIVersions = append(slices.Clone(w.caps.APIVersions), "nvidia.com/v1alpha1", "nvidia.com/v1alpha1/DynamoGraphDeployment")
		}},
		"one is to be another": {fleet: "      values: [{platform: {dynamo-operator: {controllerManager: {logLevel: debug}}}}]\n", rendered: []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := applied(t)
			if tc.change != nil {
				tc.change(w)
			}
			plan := func(whole bool) (*Plan, []string) {
				d := tenants(t, tc.fleet)
				s, err := Observe(t.Context(), d, w, w, whole)
				if err != nil {
					t.Fatal(err)
				}
				var rendered []string
				for _, target := range s.Targets {
					if !target.outlined && target.Chart == fleet.ChartPlatform {
						rendered = append(rendered, target.Namespace)
					}
				}
				plan, err := NewPlan(d, s)
				if err != nil {
					t.Fatal(err)
				}
				return plan, rendered
			}
			quick, rendered := plan(false)
			if diff := gocmp.Diff(tc.rendered, rendered); diff != "" {
				t.Errorf("rendered (-want +got):\n%s", diff)
			}
			whole, rendered := plan(true)
			if diff := gocmp.Diff([]string{"a", "b"}, rendered); diff != "" {
				t.Errorf("rendered of the whole (-want +got):\n%s", diff)
			}
			byName := func(a, b Ownership) int { return strings.Compare(a.Object(), b.Object()) }
			slices.SortFunc(quick.Ownership, byName)
			slices.SortFunc(whole.Ownership, byName)
			if diff := gocmp.Diff(told(whole), told(quick)); diff != "" {
				t.Errorf("the plan (-whole +quick):\n%s", diff)
			}
		})
	}
}

// told is what a plan says.
func told(p *Plan) any {
	type step struct {
		ID     string
		Action Action
		Reason string
		Needs  []string
	}
	var steps []step
	for _, s := range p.Steps {
		steps = append(steps, step{s.ID, s.Action, s.Reason, s.Needs})
	}
	return []any{steps, p.Ownership, p.seen()}
}

// What was judged by other keys, or by another lock, is rendered and judged again.
func TestWhatMustBeSignedIsJudgedAnew(t *testing.T) {
	w := applied(t)
	asked := tenants(t, "")
	outlined := func(lock *chart.Lock, asks []fleet.Signature) int {
		asked.Fleet.Signatures, asked.lock = asks, lock
		s, err := Observe(t.Context(), asked, w, w, false)
		if err != nil {
			t.Fatal(err)
		}
		return len(slices.DeleteFunc(s.Targets, func(target Target) bool { return !target.outlined }))
	}
	if n := outlined(&chart.Lock{}, nil); n != 2 {
		t.Errorf("%d of 2 are as they were where nothing must be signed", n)
	}
	asks := []fleet.Signature{{For: fleet.Located[string]{Value: "r.example.com"}, PEM: []byte("a")}}
	digests := map[string]bool{}
	for _, lock := range []*chart.Lock{{}, {Images: []chart.LockedImage{{Image: chart.Image{Reference: "a"}}}}} {
		if n := outlined(lock, asks); n != 0 {
			t.Errorf("%d were not judged by %v", n, lock.Images)
		}
		for _, pem := range []string{"a", "b"} {
			asks[0].PEM = []byte(pem)
			digest, err := asked.signedDigest()
			if err != nil || digest == "" || digests[digest] {
				t.Errorf("%q again for other keys or another lock (%v)", digest, err)
			}
			digests[digest] = true
		}
	}
}
