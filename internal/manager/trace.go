package manager

import (
	"context"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

// traced is for how many objects a plan says which values are behind what cannot
// change in place: each takes some hundred renderings. Tenants are alike.
const traced = 5

// trace fills in which values decide the fields that cannot change in place. What
// cannot be traced is left out: the plan does not depend on it.
func (m *Manager) trace(ctx context.Context, plan *rollout.Plan) error {
	left := traced
	for _, step := range plan.Steps {
		for _, change := range step.Changes {
			if change.Replacement == nil || left == 0 {
				continue
			}
			left--
			if err := m.traceOne(ctx, step.Key, change); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Manager) traceOne(ctx context.Context, key fleet.Key, change rollout.Change) error {
	i := slices.IndexFunc(m.desired.Set.Releases, func(rel fleet.Release) bool { return rel.Key == key })
	if i < 0 {
		return nil
	}
	rel := m.desired.Set.Releases[i]
	caps, err := m.cluster.Capabilities(ctx)
	if err != nil {
		return err
	}
	subject, err := trace.NewSubject(rel, m.desired.Charts[rel.Chart], caps)
	if err != nil {
		return nil //nolint:nilerr // what looks up in order to refuse cannot be traced
	}
	_, object, err := trace.Find([]trace.Subject{subject}, change.Kind+"/"+change.Name)
	if err != nil {
		return nil //nolint:nilerr // two objects of that name
	}
	change.Replacement.SetBy = map[string]string{}
	for _, field := range change.Replacement.Fields {
		path, err := trace.ParsePath(field.Path)
		if err != nil {
			continue
		}
		explained, err := trace.Explain(ctx, subject, object, path)
		if err != nil {
			return err
		}
		change.Replacement.SetBy[field.Path] = setBy(explained, rel.Chart)
	}
	return nil
}

// setBy names the values that a field is made of, or else those that change it, with
// the places that give them.
func setBy(f *trace.Field, chart string) string {
	for _, effect := range []trace.Effect{trace.Content, trace.Influence} {
		var out []string
		for _, cause := range f.Causes {
			if cause.Effect == effect {
				out = append(out, chart+"."+cause.Path+" at "+cause.Origin.String())
			}
		}
		if len(out) > 0 {
			return "set by " + strings.Join(out, ", ")
		}
	}
	return "as the chart has it, in " + f.Template
}
