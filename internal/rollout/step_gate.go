package rollout

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// gateKind waits until what was written is ready.
type gateKind struct{ unseen }

func (gateKind) needs(*Step, bool) []Need { return nil }

// do says what is not ready and was not waited for.
func (gateKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error) {
	target := s.target
	if slices.ContainsFunc(target.Rendered.Objects, isCRD) {
		defer e.cluster.Refresh()
	} else if e.NoWait && !s.awaited {
		return done{}, nil
	}
	var notes []string
	err := e.cluster.AwaitReady(ctx, Gate{
		Release: target.Key, Objects: target.Rendered.Objects, Patience: e.Patience, Marker: markerOf(target), Runs: converts(target.Key),
		Changed: slices.ContainsFunc(s.Needs, e.wroteRelease),
		Note:    func(note string) { notes = append(notes, note) },
	}, progress)
	return done{note: strings.Join(notes, "; ")}, err
}

// Gate is what must be ready before the next step may start.
type Gate struct {
	Release fleet.Key
	// Objects are waited for where their kind has a notion of readiness.
	Objects []chart.Object
	// Marker is the namespace for whose Lease, by which a restricted operator
	// claims it, is waited as well; empty for none.
	Marker string
	// Runs says that a Deployment which was scaled to 0 is not ready.
	Runs bool
	// Changed says that this run wrote the release, so what ran before it proves
	// nothing.
	Changed bool
	// Patience is how long to wait without any progress.
	Patience time.Duration
	// Note receives what is not ready and is not waited for; may be nil.
	Note func(string)
}

// markerOf is the namespace that a release's operator claims; empty if it claims none.
func markerOf(t Target) string {
	if !hasMarker(t) {
		return ""
	}
	return cmp.Or(t.Serves, t.Namespace)
}

// hasMarker reports whether a release runs an operator that claims its
// namespace with a marker Lease.
func hasMarker(t Target) bool {
	return t.Scope == fleet.ScopeNamespace && slices.ContainsFunc(t.Rendered.Objects, func(o chart.Object) bool {
		return o.Kind == "Deployment" && o.Labels[marks.PartOf] == marks.PartOfOperator
	})
}

// wroteRelease tells steps that wrote a release.
func (e *execution) wroteRelease(id string) bool {
	n := e.nodes[id]
	return n != nil && n.Step.Kind == StepRelease && n.Step.Action.Changes()
}
