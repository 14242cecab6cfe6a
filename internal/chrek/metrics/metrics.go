// Package metrics are what an agent counts. Nothing in them names a pod, a checkpoint or
// a namespace.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const prefix = "chrek_agent_"

// Operation is what an agent does to a container.
type Operation string

// Operations.
const (
	Checkpoint Operation = "checkpoint"
	Restore    Operation = "restore"
)

// From a tenth of a second to three hours: a worker of a few megabytes, and one of many
// gigabytes on slow storage.
var seconds = prometheus.ExponentialBucketsRange(0.1, 3*60*60, 18)

var (
	took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "operation_duration_seconds", Help: "How long checkpoints and restores took, by the reason in the pod's condition.", Buckets: seconds,
	}, []string{"operation", "reason"})
	phases = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "phase_duration_seconds", Help: "How long the phases of checkpoints and restores took that succeeded.", Buckets: seconds,
	}, []string{"operation", "phase"})
	memory = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "memory_bytes_total", Help: "How much memory of processes was stored and restored.",
	}, []string{"operation"})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "restore_refusals_total", Help: "How many restores were refused, by the fact of the checkpoint that does not fit.",
	}, []string{"fact"})
	working = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: prefix + "operations_in_progress", Help: "How many checkpoints and restores are going on.",
	}, []string{"operation"})
	removed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: prefix + "checkpoints_removed_total", Help: "How many checkpoints were removed, since nobody meant them any more.",
	})
	passes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: prefix + "preflight_passed", Help: "Whether a check of the node passes: 1, or 0.",
	}, []string{"check", "required"})

	registry = prometheus.NewRegistry()
)

func init() {
	registry.MustRegister(took, phases, memory, refusals, working, removed, passes)
	for _, o := range []Operation{Checkpoint, Restore} { // a rate needs a series before the first one
		working.WithLabelValues(string(o))
		memory.WithLabelValues(string(o))
	}
}

// Handler serves them.
func Handler() http.Handler { return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) }

// Ended is an operation that has come to its end.
type Ended struct {
	Reason string                   // of the condition; "" if nothing was decided
	Phases map[string]time.Duration // of one that succeeded
	Memory int64                    // in bytes, of one that succeeded
	Fact   string                   // that refused it; "" if none did
}

// Begin counts an operation that goes on until its end is told.
func Begin(o Operation) (end func(Ended)) {
	begun := time.Now()
	working.WithLabelValues(string(o)).Inc()
	return func(e Ended) {
		working.WithLabelValues(string(o)).Dec()
		if e.Reason != "" { // else nothing was decided
			e.count(string(o), time.Since(begun))
		}
	}
}

func (e Ended) count(operation string, d time.Duration) {
	took.WithLabelValues(operation, e.Reason).Observe(d.Seconds())
	if e.Fact != "" {
		refusals.WithLabelValues(e.Fact).Inc()
	}
	memory.WithLabelValues(operation).Add(float64(e.Memory))
	for phase, d := range e.Phases {
		phases.WithLabelValues(operation, phase).Observe(d.Seconds())
	}
}

// Removed counts a checkpoint that was removed.
func Removed() { removed.Inc() }

// Checked notes the result of a check of the node.
func Checked(check string, required, passed bool) {
	says := map[bool]string{true: "true", false: "false"}[required]
	passes.WithLabelValues(check, says).Set(map[bool]float64{true: 1, false: 0}[passed])
}
