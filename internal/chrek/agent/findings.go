package agent

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// findings are the latest results of the checks, as log, metrics and readiness
// show them.
type findings struct {
	log      *slog.Logger
	registry *prometheus.Registry
	checks   *prometheus.GaugeVec

	mu     sync.Mutex
	latest []preflight.Result // empty until the first look
}

func newFindings(log *slog.Logger) *findings {
	f := &findings{
		log:      log,
		registry: prometheus.NewRegistry(),
		checks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chrek_preflight_check",
			Help: "Whether the node passes a check: 1 if it does, 0 if not. The agent is ready while all required ones pass.",
		}, []string{"check", "required"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "chrek_build_info",
		Help:        "Always 1; the labels tell the agent's version.",
		ConstLabels: prometheus.Labels{"version": version.Version, "goversion": runtime.Version()},
	})
	build.Set(1)
	f.registry.MustRegister(f.checks, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return f
}

// publish makes results the latest, and logs those that are news.
func (f *findings) publish(results []preflight.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := map[string]preflight.Result{}
	for _, r := range f.latest {
		before[r.Check] = r
	}
	for _, r := range results {
		value := 0.0
		if r.Passed {
			value = 1
		}
		f.checks.WithLabelValues(r.Check, strconv.FormatBool(r.Required)).Set(value)
		if before[r.Check] != r {
			f.tell(r)
		}
	}
	f.latest = results
}

func (f *findings) tell(r preflight.Result) {
	level := slog.LevelInfo
	switch {
	case !r.Passed && r.Required:
		level = slog.LevelError
	case !r.Passed:
		level = slog.LevelWarn
	}
	attributes := []any{"check", r.Check, "required", r.Required, "passed", r.Passed}
	if r.Fix != "" {
		attributes = append(attributes, "fix", r.Fix)
	}
	f.log.Log(context.Background(), level, r.Says, attributes...)
}

func (f *findings) results() []preflight.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}
