package agent

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
)

// handler serves
//
//	/healthz  200 while the process works
//	/readyz   200 while every required check passes, else 503
//	/metrics  where the configuration says so
//
// Whoever reaches the pod may ask, so the answers name checks and tell nothing
// of the node: that is for the log and for `chrek-agent preflight`.
func handler(f *findings, withMetrics bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { readiness(w, f.results()) })
	if withMetrics {
		mux.Handle("GET /metrics", metrics.Handler())
	}
	return mux
}

func readiness(w http.ResponseWriter, results []preflight.Result) {
	if len(results) == 0 {
		http.Error(w, "the first preflight check has not ended", http.StatusServiceUnavailable)
		return
	}
	var failed []string
	for _, r := range results {
		if r.Required && !r.Passed {
			failed = append(failed, r.Check)
		}
	}
	if len(failed) > 0 {
		http.Error(w, "failed: "+strings.Join(failed, ", "), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
