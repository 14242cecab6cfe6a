package agent

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
)

// handler serves
//
//	/healthz  200 while the process works
//	/readyz   200 while every required check passes, else 503; the body lists all checks
//	/metrics  for Prometheus
func handler(f *findings) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { readiness(w, f.results()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(f.registry, promhttp.HandlerOpts{}))
	return mux
}

func readiness(w http.ResponseWriter, results []preflight.Result) {
	if len(results) == 0 {
		http.Error(w, "the first preflight check has not ended", http.StatusServiceUnavailable)
		return
	}
	if !preflight.Ready(results) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// Who hung up does not need the rest.
	_ = preflight.WriteTable(w, results)
}
