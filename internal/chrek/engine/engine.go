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
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/blockers"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/container"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/criu"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/mounts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

const (
	proc = "/proc"
	// cgroups is where the agent has the node's cgroups.
	cgroups = "/host/cgroup"
	shm     = "/dev/shm"
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
	Shared   []string // those of them that other containers mount, too
	Beside   []string // the other containers of the pod, which run beside it
	Memory   int64    // the most that it may have, in bytes; 0: no limit
	Artifact string
}

// Outcome is the end of a checkpoint or a restore.
type Outcome struct {
	Reason, Message string
	// Fact is what of the checkpoint does not fit; "" unless it was refused for that.
	Fact string
	// Phases are how long each took, and Memory how many bytes of it were stored or
	// restored; of what has succeeded.
	Phases map[string]time.Duration
	Memory int64
	// Next is what is left to do.
	Next Step
}

// Step is what is to become of a container that waits.
type Step int

// Steps.
const (
	// Nothing is left to do.
	Nothing Step = iota
	// StartAnew: its worker starts, as if there were no checkpoints.
	StartAnew
	// GiveUp: what a restore has left in the pod's volumes goes, and the worker starts
	// anew; in a further container, where files of this one may not be its image's.
	GiveUp
)

// Phases of a checkpoint and of a restore, in their order.
const (
	phaseLook   = "look"   // what the container is, and what blocks a checkpoint
	phaseDump   = "dump"   // CRIU stores memory and files
	phaseStore  = "store"  // digests, until all is on the storage
	phaseVerify = "verify" // facts and digests are compared
	phaseFill   = "fill"   // files are put into the container, and CRIU restores memory
)

// watch tells how long phases take.
type watch struct {
	since  time.Time
	phases map[string]time.Duration
}

func start() *watch { return &watch{time.Now(), map[string]time.Duration{}} }

// done ends a phase, with which the next one begins.
func (w *watch) done(phase string) {
	now := time.Now()
	w.phases[phase], w.since = now.Sub(w.since), now
}

func failed(err error) Outcome {
	reason := protocol.ReasonFailed
	switch {
	case errors.Is(err, artifact.ErrMissing):
		reason = protocol.ReasonMissing
	case errors.Is(err, artifact.ErrDamaged):
		reason = protocol.ReasonDamaged
	}
	return Outcome{Reason: reason, Message: err.Error()}
}

func blocked(why string) Outcome {
	return Outcome{Reason: protocol.ReasonBlocked, Message: why}
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
	took := start()
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
	took.done(phaseLook)
	reply, err := criu.Dump(ctx, request)
	took.done(phaseDump)
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
	took.done(phaseStore)
	return Outcome{
		Reason: protocol.ReasonStored, Phases: took.phases, Memory: m.Facts.Memory,
		Message: fmt.Sprintf("stored as %s in %s; %d MiB of memory, the process stood still for %s",
			s.Artifact, e.Store.Location(s.Artifact), m.Facts.Memory>>20, reply.Frozen.Round(time.Millisecond)),
	}
}

// look finds the processes of a container, and the mounts of its worker.
func (e *Engine) look(s Subject) (container.Container, []mounts.Mount, error) {
	found, err := e.find(s)
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
