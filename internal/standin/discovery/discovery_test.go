package discovery

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// slice is an EndpointSlice of "pod=ip" entries; "!pod=ip" is a pod not ready.
func slice(entries ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{}
	for _, e := range entries {
		name, unready := strings.CutPrefix(e, "!")
		pod, ip, _ := strings.Cut(name, "=")
		ready := !unready
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{ip},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod, UID: types.UID(pod + "-uid")},
		})
	}
	return s
}

// worker is the metadata of a worker in a logical namespace.
func worker(pod, namespace, component, model, cardType string) Worker {
	a := Address{Namespace: namespace, Component: component, Endpoint: "generate", InstanceID: InstanceID(pod)}
	return Worker{Pod: pod, PodUID: pod + "-uid", Data: Data{
		Endpoints:  map[string]Endpoint{a.Path(): {Type: "Endpoint", Address: a, Transport: Transport{HTTP: "http://" + pod + ":8888/v1/rpc/generate"}}},
		ModelCards: map[string]ModelCard{a.Path(): {Type: "Model", Address: a, Card: Card{Name: model, Type: cardType}}},
	}}
}

func with(w Worker, change func(*Worker)) Worker {
	change(&w)
	return w
}

// describe is a short form of a view: model -> "workers / prefill workers".
func describe(v *View) map[string]string {
	got := map[string]string{}
	for _, m := range v.Models {
		text := func(list []Instance) string {
			var parts []string
			for _, i := range list {
				parts = append(parts, i.Pod+"@"+i.URL)
			}
			return strings.Join(parts, " ")
		}
		got[m.Name] = strings.TrimSpace(text(m.Workers) + " / " + text(m.Prefill))
	}
	return got
}

func TestResolve(t *testing.T) {
	at := func(pod, ip string) string { return pod + "@http://" + ip + ":8888/v1/rpc/generate" }
	for name, c := range map[string]struct {
		slices    []*discoveryv1.EndpointSlice
		workers   []Worker
		namespace string
		want      map[string]string
	}{
		"ready and known": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")},
			workers: []Worker{worker("a", "ns-g", "backend", "m", Chat)}, want: map[string]string{"m": at("a", "10.0.0.1") + " /"},
		},
		"IPv6": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=fd00::1")},
			workers: []Worker{worker("a", "ns-g", "backend", "m", Chat)}, want: map[string]string{"m": at("a", "[fd00::1]") + " /"},
		},
		"not ready": {
			slices:  []*discoveryv1.EndpointSlice{slice("!a=10.0.0.1")},
			workers: []Worker{worker("a", "ns-g", "backend", "m", Chat)}, want: map[string]string{"m": "/"},
		},
		"in no slice":     {workers: []Worker{worker("a", "ns-g", "backend", "m", Chat)}, want: map[string]string{"m": "/"}},
		"without a model": {slices: []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")}, want: map[string]string{}},
		"two slices name the same pod": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=10.0.0.1"), slice("a=10.0.0.1", "b=10.0.0.2")},
			workers: []Worker{worker("b", "ns-g", "backend", "m", Chat), worker("a", "ns-g", "backend", "m", Chat)},
			want:    map[string]string{"m": at("a", "10.0.0.1") + " " + at("b", "10.0.0.2") + " /"},
		},
		"prefill and decode": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=10.0.0.1", "p=10.0.0.2")},
			workers: []Worker{worker("a", "ns-g", "backend", "m", Chat), worker("p", "ns-g", "prefill", "m", Prefill)},
			want:    map[string]string{"m": at("a", "10.0.0.1") + " / " + at("p", "10.0.0.2")},
		},
		"another graph's worker": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=10.0.0.1", "x=10.0.0.9")},
			workers: []Worker{worker("a", "ns-g", "backend", "m", Chat), worker("x", "ns-other", "backend", "secret", Chat)},
			want:    map[string]string{"m": at("a", "10.0.0.1") + " /"},
		},
		"a global frontend sees all graphs": {
			namespace: GlobalNamespace,
			slices:    []*discoveryv1.EndpointSlice{slice("a=10.0.0.1", "x=10.0.0.9")},
			workers:   []Worker{worker("a", "ns-g", "backend", "m", Chat), worker("x", "ns-other", "backend", "n", Chat)},
			want:      map[string]string{"m": at("a", "10.0.0.1") + " /", "n": at("x", "10.0.0.9") + " /"},
		},
		"metadata of an earlier pod of that name": {
			slices:  []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")},
			workers: []Worker{with(worker("a", "ns-g", "backend", "m", Chat), func(w *Worker) { w.PodUID = "old" })},
			want:    map[string]string{"m": "/"},
		},
		"an advertised host is not believed": {
			slices: []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")},
			workers: []Worker{with(worker("a", "ns-g", "backend", "m", Chat), func(w *Worker) {
				e := w.Data.Endpoints["ns-g/backend/generate"]
				e.Transport.HTTP = "http://169.254.169.254:8888/v1/rpc/generate"
				w.Data.Endpoints["ns-g/backend/generate"] = e
			})},
			want: map[string]string{"m": at("a", "10.0.0.1") + " /"},
		},
		"an unusable transport": {
			slices: []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")},
			workers: []Worker{with(worker("a", "ns-g", "backend", "m", Chat), func(w *Worker) {
				e := w.Data.Endpoints["ns-g/backend/generate"]
				e.Transport.HTTP = "nats://somewhere"
				w.Data.Endpoints["ns-g/backend/generate"] = e
			})},
			want: map[string]string{"m": "/"},
		},
		"a LoRA is a model of its own": {
			slices: []*discoveryv1.EndpointSlice{slice("a=10.0.0.1")},
			workers: []Worker{with(worker("a", "ns-g", "backend", "m", Chat), func(w *Worker) {
				card := w.Data.ModelCards["ns-g/backend/generate"]
				card.Card.Name = "org/lora"
				w.Data.ModelCards["ns-g/backend/generate/org/lora"] = card
			})},
			want: map[string]string{"m": at("a", "10.0.0.1") + " /", "org/lora": at("a", "10.0.0.1") + " /"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := c.namespace
			if namespace == "" {
				namespace = "ns-g"
			}
			if diff := cmp.Diff(c.want, describe(Resolve(c.slices, c.workers, Scope{Namespace: namespace}))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAScopeHasTheGenerationsOfItsOwnGraph(t *testing.T) {
	for namespace, want := range map[string][3]bool{ // exact, by prefix, by strict prefix
		"ns-g":            {true, true, true},
		"ns-g-1a2b3c4d":   {false, true, true},
		"ns-g-b":          {false, true, false},
		"ns-g-b-1a2b3c4d": {false, true, false},
		"ns-g-1A2B3C4D":   {false, true, false},
		"ns-g2":           {false, false, false},
		"ns":              {false, false, false},
	} {
		got := [3]bool{
			Scope{Namespace: "ns-g"}.has(namespace),
			Scope{Namespace: "ns-g", Prefix: true}.has(namespace),
			Scope{Namespace: "ns-g", Prefix: true, Strict: true}.has(namespace),
		}
		if got != want {
			t.Errorf("%s: %v, want %v", namespace, got, want)
		}
	}
}

func TestViewFindsModels(t *testing.T) {
	var workers []Worker
	for i := range 5 {
		workers = append(workers, worker(fmt.Sprint("p", i), "n", "backend", fmt.Sprint("m", 4-i), Chat))
	}
	view := Resolve(nil, workers, Scope{Namespace: "n"})
	for i := range 5 {
		if _, found := view.Model(fmt.Sprint("m", i)); !found {
			t.Errorf("model m%d is not found", i)
		}
	}
	if _, found := view.Model("m"); found {
		t.Error("found a model that is not there")
	}
}

func TestReadIdentity(t *testing.T) {
	dir := t.TempDir()
	env := func(name string) string {
		return map[string]string{"POD_NAME": "env-pod", "POD_UID": "env-uid", "POD_NAMESPACE": "env-ns"}[name]
	}
	nothing := func(string) string { return "" }
	if id, err := ReadIdentity(dir, env); err != nil || id != (Identity{"env-pod", "env-uid", "env-ns"}) {
		t.Errorf("from the environment: %+v, %v", id, err)
	}
	if _, err := ReadIdentity(dir, nothing); err == nil || !strings.Contains(err.Error(), "POD_NAME") {
		t.Errorf("without identity: %v", err)
	}
	for name, text := range map[string]string{"pod_name": "file-pod\n", "pod_uid": "file-uid", "pod_namespace": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if id, err := ReadIdentity(dir, env); err != nil || id != (Identity{"file-pod", "file-uid", "env-ns"}) {
		t.Errorf("files win: %+v, %v", id, err)
	}
	if id, err := ReadIdentity(dir, nothing); err != nil || id.Namespace != "default" {
		t.Errorf("namespace falls back: %+v, %v", id, err)
	}
}

func TestInstanceIDFitsEveryJSONReader(t *testing.T) {
	for _, pod := range []string{"", "a", "vllm-agg-0-decode-x7k2p"} {
		if id := InstanceID(pod); id < 0 || id >= 1<<53 || id != InstanceID(pod) {
			t.Errorf("%q: %d", pod, id)
		}
	}
}
