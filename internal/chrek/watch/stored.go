package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// List tells of all artifacts, and who means them.
func (w *Watcher) List(ctx context.Context) ([]artifact.Entry, error) {
	stored, err := w.Engine.Store.List()
	if err != nil {
		return nil, err
	}
	meant, unknown := w.wanted(ctx)
	all := []artifact.Entry{}
	for _, id := range stored {
		e, err := w.Engine.Store.Entry(id)
		if errors.Is(err, artifact.ErrMissing) {
			continue // it has just gone
		}
		if err != nil {
			return nil, err
		}
		if e.NeededBy = meant[id]; unknown != nil {
			e.NeededBy = "unknown: " + unknown.Error()
		}
		all = append(all, e)
	}
	return all, nil
}

// Verify reads all of some artifacts; what is wrong with one is in its entry.
func (w *Watcher) Verify(ctx context.Context, ids []string) ([]artifact.Entry, error) {
	all, err := w.List(ctx)
	if err != nil {
		return nil, err
	}
	var verified []artifact.Entry
	for _, id := range ids {
		i := slices.IndexFunc(all, func(e artifact.Entry) bool { return e.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", artifact.ErrMissing, id)
		}
		e := all[i]
		if e.Manifest != nil {
			if err := w.Engine.Store.Verify(ctx, e.Manifest); errors.Is(err, artifact.ErrDamaged) {
				e.Problem = err.Error()
			} else if err != nil {
				return nil, err
			}
		}
		verified = append(verified, e)
	}
	return verified, nil
}

// Discard removes an artifact, unless somebody means it, or writes to it now.
func (w *Watcher) Discard(ctx context.Context, id string) error {
	if !protocol.ValidArtifact(id) {
		return fmt.Errorf("remove %q: %w, since that is no name of one", id, artifact.ErrMissing)
	}
	_, release, err := w.hold(ctx, id)
	if err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	defer release()
	meant, err := w.wanted(ctx)
	if err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	if who, is := meant[id]; is {
		return fmt.Errorf("remove %s: %s needs it; delete that first", id, who)
	}
	return w.Engine.Store.Remove(id)
}
