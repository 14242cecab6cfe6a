package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/criu"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/mounts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/placeholder"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

const (
	// asking is how often a placeholder is told that it takes longer.
	asking = protocol.Patience / 4
	// answering is how long a placeholder may take to see a signal.
	answering = 10 * time.Second
)

// Restore puts a stored process into a container that waits for it. Where that cannot
// be, the worker is to start anew: at once, or in a new container where files of this
// one may be no longer its image's. It calls begins before the first change of the
// container. The outcome has no reason where the container has ended before that.
func (e *Engine) Restore(ctx context.Context, s Subject, begins func()) Outcome {
	begun, took := time.Now(), start()
	ctx, cancel := e.deadline(ctx)
	defer cancel()
	held, found, all, err := e.holdWaiting(s)
	if err != nil {
		return Outcome{Message: err.Error()}
	}
	defer held.Close()
	defer keepWaiting(held)()
	m, refused := e.fits(ctx, s, found, all)
	if m == nil {
		refused.Next = StartAnew
		return refused
	}
	took.done(phaseVerify)
	begins()
	if err := begin(ctx, held); err != nil {
		return cannot(err, StartAnew)
	}
	if err := e.restore(ctx, s, held, m); err != nil {
		return cannot(fmt.Errorf("%w; the container is started again, and the worker anew in it", err), GiveUp)
	}
	took.done(phaseFill)
	message := fmt.Sprintf("restored from %s, taken of pod %s at %s, in %s",
		m.ID, m.Pod, m.Taken.Format(time.RFC3339), time.Since(begun).Round(time.Millisecond))
	if len(s.Beside) > 0 {
		message += "; started anew beside it: " + strings.Join(s.Beside, ", ")
	}
	return Outcome{Reason: protocol.ReasonRestored, Phases: took.phases, Memory: m.Facts.Memory, Message: message}
}

// holdWaiting takes hold of a container before it is looked at, so that it is one and the
// same.
func (e *Engine) holdWaiting(s Subject) (held *container.Handle, found container.Container, all []mounts.Mount, err error) {
	if found, err = e.find(s); err != nil {
		return nil, found, nil, err
	}
	if held, err = e.hold(s, found); err != nil {
		return nil, found, nil, err
	}
	if found, all, err = e.look(s); err != nil {
		held.Close()
	}
	return held, found, all, err
}

func cannot(err error, next Step) Outcome {
	outcome := failed(err)
	outcome.Next = next
	return outcome
}

// fits finds the artifact, if the container can be started from it.
func (e *Engine) fits(ctx context.Context, s Subject, found container.Container, all []mounts.Mount) (*artifact.Manifest, Outcome) {
	if !protocol.ValidArtifact(s.Artifact) {
		return nil, failed(fmt.Errorf("%w: %q is no name of one", artifact.ErrMissing, s.Artifact))
	}
	m, err := e.Store.Manifest(s.Artifact)
	if err != nil {
		return nil, failed(err)
	}
	if difference := m.Facts.Differs(e.facts(ctx, s, found.Init, mounts.External(all))); difference != "" {
		fact, _, _ := strings.Cut(difference, ":")
		return nil, Outcome{Reason: protocol.ReasonIncompatible, Message: difference, Fact: fact}
	}
	if err := e.Store.Verify(ctx, m); err != nil {
		return nil, failed(err)
	}
	return m, Outcome{}
}

// begin has the container know that files will come, before any does: whoever finds it
// so later knows that too, whatever becomes of us.
func begin(ctx context.Context, held *container.Handle) error {
	if comm := container.Comm(proc, held.PID); comm != placeholder.Waiting {
		return fmt.Errorf("the container's first process does not wait any more: it is %q", comm)
	}
	if err := held.Signal(placeholder.Begin); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	for tick := time.NewTicker(time.Millisecond); container.Comm(proc, held.PID) != placeholder.Begun; {
		select {
		case <-ctx.Done():
			return errors.New("the container's first process does not answer")
		case <-tick.C:
		}
	}
	return nil
}

func (e *Engine) restore(ctx context.Context, s Subject, held *container.Handle, m *artifact.Manifest) error {
	id, err := container.ID(s.ID)
	if err != nil {
		return err
	}
	groups, err := container.Cgroups(cgroups, proc, held.PID, id)
	if err != nil {
		return err
	}
	request := criu.RestoreRequest{
		CRIU: e.Config.CRIU, PID: held.PID, Dir: e.Store.Location(m.ID), Points: m.Facts.Mounts,
		Output: m.Output, Cgroups: groups, Marker: protocol.MarkerFile,
	}
	for _, l := range m.Layers {
		request.Layers = append(request.Layers, criu.Layer(l))
	}
	if err := criu.Restore(ctx, request); err != nil {
		return err
	}
	return held.Signal(placeholder.Adopt)
}

// keepWaiting tells a placeholder again and again that it takes longer, until the
// function that it returns has returned: the handle is used no more then.
func keepWaiting(held *container.Handle) (stop func()) {
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(asking)
		defer tick.Stop()
		for {
			_ = held.Signal(placeholder.Wait) // one that has ended waits no more
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		close(done)
		work.Wait()
	}
}
