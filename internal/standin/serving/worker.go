package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// rpcRoot is the path below which a worker's endpoints are called.
const rpcRoot = "/v1/rpc/"

// publishTimeout bounds one write of a worker's metadata.
const publishTimeout = 10 * time.Second

// Registry is where a worker makes itself known.
type Registry interface {
	Register(ctx context.Context, data discovery.Data) error
	Unregister(ctx context.Context) error
}

// phase is how far a worker has come.
type phase int

const (
	loading    phase = iota // the process lives, the model does not yet
	loaded                  // the model could answer, nobody knows of it
	registered              // frontends may call
	ending
)

// Worker answers questions with its own name.
type Worker struct {
	config   Config
	evidence *evidence
	started  time.Time
	requests *prometheus.CounterVec
	metrics  *prometheus.Registry
	meeting  meeting

	// joining serializes writes to the registry. It is apart from mu, so that
	// probes are answered while the API server is slow.
	joining sync.Mutex

	mu      sync.Mutex
	self    self
	phase   phase
	refused string            // why the last registration failed
	port    int               // where the endpoint listens
	loras   map[string]string // name to source; never changed in place
}

// self is who a worker is, which a restore changes.
type self struct {
	pod      string
	registry Registry
	// namespace is the logical one; generation is what answers tell.
	namespace, generation string
}

func (w *Worker) me() self {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.self
}

// become makes the worker that of the pod in which it runs by now.
func (w *Worker) become(c Config, getenv func(string) string) {
	registry, pod := newRegistry(c, getenv)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.self = self{pod, registry, c.Namespace, c.Generation}
}

// NewWorker makes a worker in the loading phase. Load and Join move it on.
func NewWorker(config Config, pod string, registry Registry) *Worker {
	w := &Worker{
		config: config, evidence: newEvidence(), started: time.Now(), meeting: meeting{group: config.Group},
		self: self{pod, registry, config.Namespace, config.Generation},
	}
	labels := prometheus.Labels{"dynamo_namespace": config.Namespace, "dynamo_component": config.Component}
	w.metrics = prometheus.NewRegistry()
	w.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dynamo_component_requests_total", Help: "Requests handled by an endpoint.", ConstLabels: labels,
	}, []string{"dynamo_endpoint", "model"})
	uptime := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dynamo_component_uptime_seconds", Help: "Time since the worker started.", ConstLabels: labels,
	}, func() float64 { return time.Since(w.started).Seconds() })
	w.metrics.MustRegister(w.requests, uptime)
	return w
}

// Load stands for loading a model: it waits, and fills the heap. When ctx ends
// first, the worker stays in the loading phase and Load returns nil.
func (w *Worker) Load(ctx context.Context) error {
	select {
	case <-time.After(w.config.StartupDelay):
	case <-ctx.Done():
		return nil
	}
	if err := w.evidence.heap.fill(w.config.HeapMB); err != nil {
		return err
	}
	w.evidence.loaded(w.started)
	w.enter(loaded)
	return nil
}

// Join makes the worker known, with its endpoint at the given port.
func (w *Worker) Join(ctx context.Context, port int) error {
	w.mu.Lock()
	w.port = port
	w.mu.Unlock()
	if err := w.publish(ctx, nil); err != nil {
		return err
	}
	w.enter(registered)
	return nil
}

// publish writes the worker's metadata with the given LoRAs, and keeps these if
// that succeeds.
func (w *Worker) publish(ctx context.Context, loras map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	err := w.me().registry.Register(ctx, w.data(loras))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.refused = err.Error()
		return err
	}
	w.loras, w.refused = loras, ""
	return nil
}

// Leave stops new requests from coming.
func (w *Worker) Leave(ctx context.Context) error {
	w.enter(ending)
	w.joining.Lock()
	defer w.joining.Unlock()
	return w.me().registry.Unregister(ctx)
}

func (w *Worker) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = p
}

// data is what the worker tells about itself.
func (w *Worker) data(loras map[string]string) discovery.Data {
	me := w.me()
	address := discovery.Address{
		Namespace: me.namespace, Component: w.config.Component, Endpoint: w.config.Endpoint,
		InstanceID: discovery.InstanceID(me.pod),
	}
	// Frontends put the pod's address in place of the host.
	url := "http://" + net.JoinHostPort(me.pod, strconv.Itoa(w.port)) + rpcRoot + w.config.Endpoint
	kind := map[bool]string{true: discovery.Prefill, false: discovery.Chat}[w.config.Prefill]
	card := func(name, source string) discovery.ModelCard {
		return discovery.ModelCard{Type: "Model", Address: address, Card: discovery.Card{Name: name, Type: kind, LoRA: source}}
	}
	data := discovery.Data{
		Endpoints:  map[string]discovery.Endpoint{address.Path(): {Type: "Endpoint", Address: address, Transport: discovery.Transport{HTTP: url}}},
		ModelCards: map[string]discovery.ModelCard{address.Path(): card(w.config.Model, "")},
	}
	for name, source := range loras {
		data.ModelCards[address.Path()+"/"+name] = card(name, source)
	}
	return data
}

// RPCHandler serves what frontends call.
func (w *Worker) RPCHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+rpcRoot+w.config.Endpoint, w.generate)
	return mux
}

func (w *Worker) generate(rw http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody)).Decode(&q); err != nil {
		writeError(rw, badRequest("the body is not a question: %v", err))
		return
	}
	if !w.serves(q.Model) {
		writeError(rw, modelNotFound(q.Model, w.models()))
		return
	}
	w.requests.WithLabelValues(w.config.Endpoint, q.Model).Inc()
	me := w.me()
	writeJSON(rw, http.StatusOK, answer{Worker: me.pod, Generation: me.generation, Text: say(q, me.pod)})
}

func say(q question, pod string) string {
	prefilled := ""
	if q.PrefillWorker != "" {
		prefilled = "prefilled by " + q.PrefillWorker + ", "
	}
	return fmt.Sprintf("This is the stand-in for %s. A prompt of %d words was %sanswered by %s",
		q.Model, len(strings.Fields(q.Prompt)), prefilled, pod)
}

func (w *Worker) serves(model string) bool { return slices.Contains(w.models(), model) }

func (w *Worker) models() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{w.config.Model}, slices.Sorted(maps.Keys(w.loras))...)
}

// SystemHandler serves what probes and the platform's controllers call.
func (w *Worker) SystemHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", w.live)
	mux.HandleFunc("GET /health", w.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /standin/heap", w.evidence.heap.serve)
	mux.HandleFunc("GET /standin/process", w.evidence.serve)
	if w.config.LoRA {
		mux.HandleFunc("GET /v1/loras", w.listLoRAs)
		mux.HandleFunc("POST /v1/loras", w.loadLoRA)
		mux.HandleFunc("DELETE /v1/loras/{name...}", w.unloadLoRA)
	}
	return mux
}

// live fails while the model loads: the platform's startup probe asks here and
// allows two hours.
func (w *Worker) live(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == loading {
		writeJSON(rw, http.StatusServiceUnavailable, map[string]string{"status": "starting", "message": "the model is being loaded"})
		return
	}
	writeJSON(rw, http.StatusOK, map[string]any{"status": "live", "uptime_seconds": time.Since(w.started).Seconds()})
}

// health follows the endpoints named by DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS;
// without them the process itself, which is ready once its model is loaded.
func (w *Worker) health(rw http.ResponseWriter, r *http.Request) {
	complete := w.meeting.complete(r.Context())
	w.mu.Lock()
	defer w.mu.Unlock()
	words := map[bool]string{true: "ready", false: "notready"}
	endpoints := map[string]string{w.config.Endpoint: words[w.phase == registered]}
	ready := complete && (w.phase == loaded || w.phase == registered)
	for _, name := range w.config.HealthEndpoints {
		ready = ready && endpoints[name] == words[true]
	}
	status := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[ready]
	body := map[string]any{"status": words[ready], "endpoints": endpoints, "uptime_seconds": time.Since(w.started).Seconds()}
	if w.refused != "" {
		body["message"] = w.refused
	}
	writeJSON(rw, status, body)
}
