package serving

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// Directory is where a frontend finds workers.
type Directory interface {
	// View is what may be used now; never nil.
	View() *discovery.View
	// Ready says why the view is not complete; nil once it is.
	Ready() error
}

// Frontend serves the OpenAI API of one graph.
type Frontend struct {
	directory Directory
	router    *router
	metrics   frontendMetrics
	started   time.Time
}

// NewFrontend makes a frontend with a router mode of Config.RouterMode.
func NewFrontend(routerMode string, directory Directory) *Frontend {
	return &Frontend{directory: directory, router: newRouter(routerMode), metrics: newFrontendMetrics(), started: time.Now()}
}

// Handler serves the paths of the real frontend.
func (f *Frontend) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "live", "message": "Service is live"})
	})
	mux.HandleFunc("GET /health", f.health)
	mux.HandleFunc("GET /v1/models", f.models)
	mux.HandleFunc("POST /v1/chat/completions", f.completions(true))
	mux.HandleFunc("POST /v1/completions", f.completions(false))
	mux.Handle("GET /metrics", f.metrics.handler())
	return mux
}

// health is 200 once the frontend knows its workers, even if there are none: a
// graph's parts may start in any order.
func (f *Frontend) health(w http.ResponseWriter, _ *http.Request) {
	if err := f.directory.Ready(); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unhealthy", "message": err.Error()})
		return
	}
	endpoints, instances := []string{}, []map[string]any{}
	for _, i := range f.directory.View().Instances {
		name := "dyn://" + i.Namespace + "." + i.Component + "." + i.Endpoint
		if n := len(endpoints); n == 0 || endpoints[n-1] != name {
			endpoints = append(endpoints, name)
		}
		instances = append(instances, map[string]any{
			"namespace": i.Namespace, "component": i.Component, "endpoint": i.Endpoint,
			"instance_id": i.InstanceID, "pod": i.Pod, "transport": map[string]string{"http": i.URL},
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "healthy", "endpoints": endpoints, "instances": instances})
}

func (f *Frontend) models(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]any{}
	for _, name := range servedModels(f.directory.View()) {
		list = append(list, map[string]any{"id": name, "object": "model", "created": f.started.Unix(), "owned_by": "standin"})
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

// servedModels are the models that can answer now.
func servedModels(view *discovery.View) []string {
	var names []string
	for _, m := range view.Models {
		if len(m.Workers) > 0 {
			names = append(names, m.Name)
		}
	}
	return names
}

func (f *Frontend) completions(isChat bool) http.HandlerFunc {
	endpoint := map[bool]string{true: "chat_completions", false: "completions"}[isChat]
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		req, err := readRequest(w, r, isChat)
		var model discovery.Model
		if err == nil {
			model, err = f.findModel(req.Model)
		}
		// Only names of known models become a label: clients must not fill memory.
		defer f.metrics.begin(model.Name, endpoint, req.Stream)(begun, &err)
		var a answer
		if err == nil {
			a, err = f.router.ask(r.Context(), model, req.promptText(), r.Header)
		}
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("x-dynamo-worker", a.Worker)
		if a.PrefillWorker != "" {
			w.Header().Set("x-dynamo-prefill-worker", a.PrefillWorker)
		}
		for header, generation := range map[string]string{"x-standin-generation": a.Generation, "x-standin-prefill-generation": a.PrefillGeneration} {
			if generation != "" {
				w.Header().Set(header, generation)
			}
		}
		write := newReply(isChat, req, a)
		if req.Stream {
			write.writeStream(w)
		} else {
			write.writeWhole(w)
		}
	}
}

func (f *Frontend) findModel(name string) (discovery.Model, error) {
	if err := f.directory.Ready(); err != nil {
		return discovery.Model{}, unavailable("the frontend does not know its workers yet: %v", err)
	}
	view := f.directory.View()
	model, found := view.Model(name)
	if !found {
		return model, modelNotFound(name, servedModels(view))
	}
	return model, nil
}

// frontendMetrics carry the names of the real frontend's metrics.
type frontendMetrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	inflight *prometheus.GaugeVec
	duration *prometheus.HistogramVec
}

func newFrontendMetrics() frontendMetrics {
	m := frontendMetrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dynamo_frontend_requests_total", Help: "Requests handled, by model, endpoint, type and status.",
		}, []string{"model", "endpoint", "request_type", "status"}),
		inflight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dynamo_frontend_inflight_requests", Help: "Requests being handled.",
		}, []string{"model"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dynamo_frontend_request_duration_seconds", Help: "Time from request to last byte.",
		}, []string{"model"}),
	}
	m.registry.MustRegister(m.requests, m.inflight, m.duration)
	return m
}

func (m frontendMetrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// begin counts a request as being handled; what it returns ends that.
func (m frontendMetrics) begin(model, endpoint string, stream bool) func(begun time.Time, err *error) {
	m.inflight.WithLabelValues(model).Inc()
	kind := map[bool]string{true: "stream", false: "unary"}[stream]
	return func(begun time.Time, err *error) {
		status := map[bool]string{true: "success", false: "error"}[*err == nil]
		m.inflight.WithLabelValues(model).Dec()
		m.requests.WithLabelValues(model, endpoint, kind, status).Inc()
		m.duration.WithLabelValues(model).Observe(time.Since(begun).Seconds())
	}
}

// listenAddress is a port on all of the pod's addresses.
func listenAddress(port int) string { return ":" + strconv.Itoa(port) }
