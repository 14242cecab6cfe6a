package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/watch"
)

// Artifacts is what is stored for the namespace that an agent serves, for an administrator
// who runs a program beside it.
type Artifacts struct{ watcher *watch.Watcher }

// OpenArtifacts fails where nothing can be stored.
func OpenArtifacts(cfg *config.AgentConfiguration) (*Artifacts, error) {
	if cfg.Agent.TargetNamespace == "" {
		return nil, errors.New("this agent takes no checkpoints: the chart's engine.enabled is false")
	}
	w, err := newWatcher(cfg, slog.New(slog.DiscardHandler), fmt.Sprintf("/%d", os.Getpid()))
	return &Artifacts{w}, err
}

// List tells of all of them.
func (a *Artifacts) List(ctx context.Context) ([]artifact.Entry, error) { return a.watcher.List(ctx) }

// Verify reads all of some; what is wrong with one is in its entry.
func (a *Artifacts) Verify(ctx context.Context, ids []string) ([]artifact.Entry, error) {
	return a.watcher.Verify(ctx, ids)
}

// Remove removes those that nobody needs; the error names the others.
func (a *Artifacts) Remove(ctx context.Context, ids []string) error {
	var errs []error
	for _, id := range ids {
		errs = append(errs, a.watcher.Discard(ctx, id))
	}
	return errors.Join(errs...)
}
