// Package discovery is how workers make themselves known and how frontends find
// them: through EndpointSlices (is the pod ready?) and DynamoWorkerMetadata
// objects (what does it serve?), the Kubernetes discovery that the platform
// provides to its runtime.
package discovery

import (
	"cmp"
	"hash/fnv"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// EnabledLabel marks the Services, and thereby the EndpointSlices, that take
// part in discovery when its value is "true".
const EnabledLabel = "nvidia.com/dynamo-discovery-enabled"

// GlobalNamespace is the logical namespace whose frontends see the workers of
// every logical namespace.
const GlobalNamespace = "dynamo"

// Data is spec.data of a DynamoWorkerMetadata object. Both maps are keyed by
// <namespace>/<component>/<endpoint>; a LoRA's card has its name appended.
type Data struct {
	Endpoints  map[string]Endpoint  `json:"endpoints,omitempty"`
	ModelCards map[string]ModelCard `json:"model_cards,omitempty"`
}

// Address names one endpoint of one worker.
type Address struct {
	Namespace  string `json:"namespace"`
	Component  string `json:"component"`
	Endpoint   string `json:"endpoint"`
	InstanceID int64  `json:"instance_id"`
}

// Path is the key under which the platform stores what belongs to the endpoint.
func (a Address) Path() string {
	return strings.Join([]string{a.Namespace, a.Component, a.Endpoint}, "/")
}

// Endpoint says how a worker's endpoint is called.
type Endpoint struct {
	Type      string `json:"type"`
	Address   `json:",inline"`
	Transport Transport `json:"transport"`
}

// Transport holds the URL of an endpoint. Only its port and path are believed:
// the host is always the pod's own address as the EndpointSlice gives it.
type Transport struct {
	HTTP string `json:"http"`
}

// ModelCard says that an endpoint serves a model.
type ModelCard struct {
	Type    string `json:"type"`
	Address `json:",inline"`
	Card    Card `json:"card_json"`
}

// Card describes a model. Type is Chat or Prefill.
type Card struct {
	Name string `json:"display_name"`
	Type string `json:"model_type"`
	LoRA string `json:"lora_source,omitempty"`
}

// Values of Card.Type.
const (
	Chat    = "Chat"
	Prefill = "Prefill"
)

// Worker is the metadata of one worker pod, as found in the cluster.
type Worker struct {
	Pod    string
	PodUID string // of the owner reference; "" if there is none
	Data   Data
}

// Instance is a worker's endpoint that is ready to be called.
type Instance struct {
	Address
	Pod string
	URL string
}

// Model is a model known to a frontend. A model without Workers is known but
// cannot answer now.
type Model struct {
	Name    string
	Workers []Instance // answer requests, aggregated or as the decode part
	Prefill []Instance // do the prefill part for Workers of their namespace
}

// View is everything that a frontend may use, sorted.
type View struct {
	Models    []Model
	Instances []Instance
}

// Model finds a model by name.
func (v *View) Model(name string) (Model, bool) {
	i, found := slices.BinarySearchFunc(v.Models, name, func(m Model, n string) int { return cmp.Compare(m.Name, n) })
	if !found {
		return Model{}, false
	}
	return v.Models[i], true
}

// Scope is in which logical namespaces a frontend looks for workers.
type Scope struct {
	Namespace string
	// Prefix adds those of which Namespace and a dash are the beginning. Strict
	// narrows them to generations of workers, whose last part is a hash.
	Prefix, Strict bool
}

// Resolve joins both sources into what a frontend of the given scope may use: a
// worker counts only when its pod is ready in a slice and has metadata, and only
// within the scope, so that models never leak from one graph into another.
func Resolve(slicesIn []*discoveryv1.EndpointSlice, workers []Worker, scope Scope) *View {
	pods := readyPods(slicesIn)
	models := map[string]*Model{}
	view := &View{}
	for _, worker := range workers {
		pod, ready := pods[worker.Pod]
		ready = ready && sameUID(pod.uid, worker.PodUID)
		for path, endpoint := range worker.Data.Endpoints {
			if !scope.has(endpoint.Namespace) {
				continue
			}
			instance := Instance{Address: endpoint.Address, Pod: worker.Pod}
			callable := ready && instance.reachAt(pod.ip, endpoint.Transport)
			if callable {
				view.Instances = append(view.Instances, instance)
			}
			for _, card := range worker.Data.ModelCards {
				if card.Path() == path && card.Card.Name != "" {
					model := modelNamed(models, card.Card.Name)
					model.add(instance, card.Card.Type, callable)
				}
			}
		}
	}
	for _, model := range models {
		slices.SortFunc(model.Workers, compareInstances)
		slices.SortFunc(model.Prefill, compareInstances)
		view.Models = append(view.Models, *model)
	}
	slices.SortFunc(view.Models, func(a, b Model) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(view.Instances, compareInstances)
	return view
}

func (m *Model) add(instance Instance, cardType string, callable bool) {
	switch {
	case !callable:
	case cardType == Prefill:
		m.Prefill = append(m.Prefill, instance)
	default:
		m.Workers = append(m.Workers, instance)
	}
}

// reachAt sets the URL: the advertised port and path at the pod's own address.
func (i *Instance) reachAt(ip string, advertised Transport) bool {
	u, err := url.Parse(advertised.HTTP)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return false
	}
	i.URL = (&url.URL{Scheme: "http", Host: net.JoinHostPort(ip, u.Port()), Path: u.Path}).String()
	return true
}

type readyPod struct{ ip, uid string }

// readyPods lists the pods that at least one slice calls ready. A nil ready
// condition means ready, as the EndpointSlice API defines it.
func readyPods(slicesIn []*discoveryv1.EndpointSlice) map[string]readyPod {
	pods := map[string]readyPod{}
	for _, slice := range slicesIn {
		for _, e := range slice.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			isPod := e.TargetRef != nil && e.TargetRef.Kind == "Pod"
			if ready && isPod && len(e.Addresses) > 0 {
				pods[e.TargetRef.Name] = readyPod{ip: e.Addresses[0], uid: string(e.TargetRef.UID)}
			}
		}
	}
	return pods
}

// sameUID rejects metadata that a pod of the same name left behind.
func sameUID(pod, owner string) bool { return pod == "" || owner == "" || pod == owner }

var hash = regexp.MustCompile(`^[0-9a-f]{8}$`)

func (s Scope) has(namespace string) bool {
	if s.Namespace == GlobalNamespace || namespace == s.Namespace {
		return true
	}
	suffix, below := strings.CutPrefix(namespace, s.Namespace+"-")
	return s.Prefix && below && (!s.Strict || hash.MatchString(suffix))
}

func modelNamed(models map[string]*Model, name string) *Model {
	if models[name] == nil {
		models[name] = &Model{Name: name}
	}
	return models[name]
}

func compareInstances(a, b Instance) int {
	return cmp.Or(cmp.Compare(a.Path(), b.Path()), cmp.Compare(a.Pod, b.Pod))
}

// InstanceID is stable for a pod's name and fits the 53 bits that every JSON
// reader keeps exactly.
func InstanceID(pod string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(pod))
	return int64(h.Sum64() & (1<<53 - 1))
}
