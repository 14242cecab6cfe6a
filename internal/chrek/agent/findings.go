package agent

import (
	"context"
	"log/slog"
	"sync"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
)

// findings are the latest results of the checks, as log and readiness show
// them.
type findings struct {
	log *slog.Logger

	mu     sync.Mutex
	latest []preflight.Result // empty until the first look
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
		if before[r.Check] != r {
			f.tell(r)
		}
		metrics.Checked(r.Check, r.Required, r.Passed)
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
