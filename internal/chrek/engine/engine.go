// Package engine takes checkpoints of containers and restores them into others: it
// finds the processes, holds the facts against each other, and stores what came of it.
// It knows no API server.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/blockers"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/criu"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/mounts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/placeholder"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

const (
	proc = "/proc"
	// cgroups is where the agent has the node's cgroups.
	cgroups = "/host/cgroup"
	shm     = "/dev/shm"
	// asking is how often a placeholder is told that it takes longer.
	asking = protocol.Patience / 4
)

// Engine works on one node for one namespace. It is safe for concurrent use.
type Engine struct {
	Config config.Checkpoint
	Store  *artifact.Store
	Node   string
}

// Subject is a container, by what the API server says of it.
type Subject struct {
	Namespace, Pod, Container string

	ID       string   // as in the pod's status
	Image    string   // as in the pod's status
	Command  []string // of the worker, with its arguments; nil: the image's
	Volumes  []string // where volumes of the pod's own are mounted for writing
	Memory   int64    // the most that it may have, in bytes; 0: no limit
	Artifact string
}

// Outcome is the end of a checkpoint or a restore.
type Outcome struct {
	Reason, Message string
	Frozen          time.Duration
	// Finish is what is left to do once the outcome is known to others.
	Finish func()
}

func failed(err error) Outcome {
	reason := protocol.ReasonFailed
	switch {
	case errors.Is(err, artifact.ErrMissing):
		reason = protocol.ReasonMissing
	case errors.Is(err, artifact.ErrDamaged):
		reason = protocol.ReasonDamaged
	}
	return Outcome{Reason: reason, Message: err.Error(), Finish: func() {}}
}

func blocked(why string) Outcome {
	return Outcome{Reason: protocol.ReasonBlocked, Message: why, Finish: func() {}}
}

// Take stores a checkpoint of a container, which goes on.
func (e *Engine) Take(ctx context.Context, s Subject) Outcome {
	ctx, cancel := e.deadline(ctx)
	defer cancel()
	draft, err := e.Store.Begin(s.Artifact)
	if err != nil {
		return failed(err)
	}
	outcome := e.take(ctx, s, draft)
	if err := draft.Abort(); err != nil && outcome.Reason != protocol.ReasonStored {
		outcome.Message += "; " + err.Error()
	}
	return outcome
}

func (e *Engine) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := time.Duration(e.Config.CRIU.Timeout) * time.Second
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %s (checkpoint.criu.timeout)", limit))
}

func (e *Engine) take(ctx context.Context, s Subject, draft *artifact.Draft) Outcome {
	worker, all, err := e.look(s)
	if err != nil {
		return failed(err)
	}
	upper, err := mounts.Upper(all)
	if err != nil {
		return blocked(err.Error())
	}
	if found := blockers.Find(container.Inside(proc, worker)); len(found) > 0 {
		return blocked(strings.Join(found, "; "))
	}
	volumes := carried(s, all)
	m := &artifact.Manifest{
		Namespace: s.Namespace, Pod: s.Pod, Container: s.Container, Node: e.Node, Taken: time.Now().UTC(),
		Facts:  e.facts(ctx, s, worker.Worker, mounts.External(all)),
		Output: container.Output(proc, worker.Worker.PID),
		Layers: []artifact.Layer{{Point: "/", File: "layer-0.tar"}},
	}
	request := criu.DumpRequest{
		CRIU: e.Config.CRIU, PID: worker.Worker.PID, Dir: draft.Dir, Points: m.Facts.Mounts, Upper: upper, Volumes: volumes,
		Exclude: slices.Concat(e.Config.RootfsExclusions.SystemDirs, e.Config.RootfsExclusions.CacheDirs, e.Config.RootfsExclusions.AdditionalExclusions),
		Layers:  []string{"layer-0.tar"},
	}
	for i, point := range volumes {
		l := artifact.Layer{Point: point, File: "layer-" + strconv.Itoa(i+1) + ".tar"}
		m.Layers, request.Layers = append(m.Layers, l), append(request.Layers, l.File)
	}
	reply, err := criu.Dump(ctx, request)
	switch {
	case err != nil:
		return failed(err)
	case reply.Blocked:
		return blocked(reply.Error)
	case reply.Error != "":
		return failed(errors.New(reply.Error))
	}
	m.Frozen = reply.Frozen.Milliseconds()
	if m.Facts.Memory, err = pages(draft.Dir); err != nil {
		return failed(err)
	}
	if err := draft.Commit(ctx, m); err != nil {
		return failed(err)
	}
	return Outcome{
		Reason: protocol.ReasonStored, Frozen: reply.Frozen, Finish: func() {},
		Message: fmt.Sprintf("stored as %s in %s; %d MiB of memory, the process stood still for %s",
			s.Artifact, e.Store.Location(s.Artifact), m.Facts.Memory>>20, reply.Frozen.Round(time.Millisecond)),
	}
}

// look finds the processes of a container, and the mounts of its worker.
func (e *Engine) look(s Subject) (container.Container, []mounts.Mount, error) {
	id, err := container.ID(s.ID)
	if err != nil {
		return container.Container{}, nil, err
	}
	found, err := container.Find(proc, id)
	if err != nil {
		return found, nil, err
	}
	content, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(found.Worker.PID), "mountinfo"))
	if err != nil {
		return found, nil, err
	}
	all, err := mounts.Parse(string(content))
	return found, all, err
}

// carried are the mounts whose files go with a checkpoint: volumes of the pod's own, and
// memory that its processes share. The placeholder's own volume does not.
func carried(s Subject, all []mounts.Mount) []string {
	var points []string
	for _, point := range append(slices.Clone(s.Volumes), shm) {
		if point != protocol.Path && mounts.Has(all, point) && !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points
}

func (e *Engine) facts(ctx context.Context, s Subject, p container.Process, points []string) artifact.Facts {
	var rights *artifact.Rights
	if p.Rights.Known {
		rights = &artifact.Rights{Capabilities: p.Rights.Capabilities, NoNewPrivileges: p.Rights.NoNewPrivileges, Seccomp: p.Rights.Seccomp}
	}
	return artifact.Facts{
		Rights: rights, Image: s.Image, Command: s.Command, UID: p.UID, Kernel: container.Kernel(proc), CRIU: criu.Version(ctx),
		CPU: container.CPU(proc), Mounts: points, Memory: s.Memory,
	}
}

// pages is how much memory is stored, in bytes.
func pages(dir string) (int64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "pages-*.img"))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// Waits reports whether a container's first process waits for a checkpoint.
func (e *Engine) Waits(s Subject) bool {
	found, _, err := e.look(s)
	return err == nil && found.Init.Comm == placeholder.Waiting
}

// StartAnew lets a waiting container start its worker.
func (e *Engine) StartAnew(s Subject) error { return e.signal(s, placeholder.StartAnew) }

// Kill ends a container, so that the kubelet starts it with the files of its image.
func (e *Engine) Kill(s Subject) error { return e.signal(s, unix.SIGKILL) }

func (e *Engine) signal(s Subject, signal unix.Signal) error {
	found, _, err := e.look(s)
	if err != nil {
		return err
	}
	held, err := e.hold(s, found)
	if err != nil {
		return err
	}
	defer held.Close()
	return held.Signal(signal)
}

func (e *Engine) hold(s Subject, found container.Container) (*container.Handle, error) {
	id, err := container.ID(s.ID)
	if err != nil {
		return nil, err
	}
	return container.Hold(proc, found.Init.PID, id)
}

// Restore puts a stored process into a container that waits for it. Where that cannot
// be, the worker starts anew: at once, or in a new container where files of this one
// are no longer its image's.
func (e *Engine) Restore(ctx context.Context, s Subject) Outcome {
	begun := time.Now()
	ctx, cancel := e.deadline(ctx)
	defer cancel()
	found, all, err := e.look(s)
	if err != nil {
		return failed(err)
	}
	held, err := e.hold(s, found)
	if err != nil {
		return failed(err)
	}
	defer held.Close()
	m, refused := e.fits(ctx, s, found, all)
	if m == nil {
		if err := held.Signal(placeholder.StartAnew); err != nil {
			refused.Message += "; " + err.Error()
		}
		return refused
	}
	reply, err := e.restore(ctx, s, held, m)
	if err == nil && reply.Error == "" {
		if err = held.Signal(placeholder.Adopt); err == nil {
			return Outcome{
				Reason: protocol.ReasonRestored, Finish: func() {},
				Message: fmt.Sprintf("restored from %s, taken of pod %s at %s, in %s",
					m.ID, m.Pod, m.Taken.Format(time.RFC3339), time.Since(begun).Round(time.Millisecond)),
			}
		}
	}
	if err == nil {
		err = errors.New(reply.Error)
	}
	outcome := failed(err)
	if reply.Dirty {
		outcome.Message += "; the container is started again, and the worker anew in it"
		outcome.Finish = func() { _ = e.Kill(s) } // one that has ended needs no end
	} else if err := held.Signal(placeholder.StartAnew); err != nil {
		outcome.Message += "; " + err.Error()
	}
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
		return nil, Outcome{Reason: protocol.ReasonIncompatible, Message: difference, Finish: func() {}}
	}
	if err := e.Store.Verify(ctx, m); err != nil {
		return nil, failed(err)
	}
	return m, Outcome{}
}

func (e *Engine) restore(ctx context.Context, s Subject, held *container.Handle, m *artifact.Manifest) (criu.RestoreReply, error) {
	id, err := container.ID(s.ID)
	if err != nil {
		return criu.RestoreReply{}, err
	}
	groups, err := container.Cgroups(cgroups, proc, held.PID, id)
	if err != nil {
		return criu.RestoreReply{}, err
	}
	request := criu.RestoreRequest{
		CRIU: e.Config.CRIU, PID: held.PID, Dir: e.Store.Location(m.ID), Points: m.Facts.Mounts,
		Output: m.Output, Cgroups: groups, Marker: protocol.MarkerFile,
	}
	for _, l := range m.Layers {
		request.Layers = append(request.Layers, criu.Layer(l))
	}
	defer keepWaiting(held)()
	return criu.Restore(ctx, request)
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
			select {
			case <-done:
				return
			case <-tick.C:
				_ = held.Signal(placeholder.Wait) // one that has ended waits no more
			}
		}
	})
	return func() {
		close(done)
		work.Wait()
	}
}
