package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/criu"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/mounts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/placeholder"
)

// State is how far a container is that is to start from a checkpoint.
type State int

// States.
const (
	// Away: it does not wait, not yet or not any more.
	Away State = iota
	// Waits: nothing was put into it.
	Waits
	// Begun: a restore has begun in it.
	Begun
)

// ending is how long the end of what a restore has begun may take.
const ending = 30 * time.Second

// State looks at a container.
func (e *Engine) State(s Subject) State {
	found, err := e.find(s)
	if err != nil {
		return Away
	}
	return state(found.Init.Comm)
}

func state(comm string) State {
	switch comm {
	case placeholder.Waiting:
		return Waits
	case placeholder.Begun:
		return Begun
	}
	return Away
}

// Do does what is left for a container, unless it waits no more. It may be repeated.
func (e *Engine) Do(ctx context.Context, s Subject, next Step) error {
	if next == Nothing {
		return nil
	}
	found, err := e.find(s)
	if err != nil {
		return err
	}
	held, err := e.hold(s, found)
	if err != nil {
		return err
	}
	defer held.Close()
	switch at := state(container.Comm(proc, held.PID)); {
	case at == Away:
		return nil
	case at == Begun:
		return errors.Join(e.clear(ctx, s, held), held.Signal(unix.SIGKILL))
	case next == GiveUp:
		return errors.Join(e.clear(ctx, s, held), held.Signal(placeholder.StartAnew))
	}
	return held.Signal(placeholder.StartAnew)
}

// clear ends what a restore has begun, and empties the volumes into which it has put files.
func (e *Engine) clear(ctx context.Context, s Subject, held *container.Handle) error {
	ctx, cancel := context.WithTimeout(ctx, ending)
	defer cancel()
	err := e.endOthers(ctx, s, held)
	if err == nil {
		var all []mounts.Mount
		if _, all, err = e.look(s); err == nil {
			err = criu.Clear(ctx, held.PID, own(s, carried(s, all)))
		}
	}
	if err != nil {
		return fmt.Errorf("volumes may still have files of the checkpoint: %w", err)
	}
	return nil
}

// own are the points whose files are no other container's. All containers of a pod share
// its memory.
func own(s Subject, points []string) []string {
	return slices.DeleteFunc(points, func(point string) bool {
		return slices.Contains(s.Shared, point) || point == shm && len(s.Beside) > 0
	})
}

// endOthers ends all of a container but its first process.
func (e *Engine) endOthers(ctx context.Context, s Subject, held *container.Handle) error {
	id, err := container.ID(s.ID)
	if err != nil {
		return err
	}
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		found, err := container.Find(proc, id)
		if err != nil {
			return err
		}
		left := 0
		for _, p := range found.All {
			if p.PID == held.PID {
				continue
			}
			left++
			if other, err := container.Hold(proc, p.PID, id); err == nil { // else it has ended
				_ = other.Signal(unix.SIGKILL)
				other.Close()
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes of the container do not end", left)
		case <-tick.C:
		}
	}
}

func (e *Engine) find(s Subject) (container.Container, error) {
	id, err := container.ID(s.ID)
	if err != nil {
		return container.Container{}, err
	}
	return container.Find(proc, id)
}

func (e *Engine) hold(s Subject, found container.Container) (*container.Handle, error) {
	id, err := container.ID(s.ID)
	if err != nil {
		return nil, err
	}
	return container.Hold(proc, found.Init.PID, id)
}
