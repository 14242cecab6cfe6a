package rollout

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// DefaultChanges says how the defaults of a release's chart differ from those
// that it was last installed with.
type DefaultChanges struct {
	// From and To are the charts, as NAME-VERSION.
	From string          `json:"from"`
	To   string          `json:"to"`
	Keys []DefaultChange `json:"keys"`
}

// DefaultChange is one key whose default changed, or that the chart no longer
// has although it is set.
type DefaultChange struct {
	Path string `json:"path"`
	Old  any    `json:"old"`
	New  any    `json:"new,omitempty"`
	// Gone says that the chart no longer has the key; Maybe is a key that it
	// has instead.
	Gone  bool   `json:"gone,omitempty"`
	Maybe string `json:"maybe,omitempty"`
	// SetAt is where the key is set, so that its default does not matter; nil if
	// the default applies.
	SetAt *fleet.Origin `json:"setAt,omitempty"`
	// Deletes are objects that would stay if the default had stayed.
	Deletes []string `json:"deletes,omitempty"`
}

// Applies reports whether the new default takes effect.
func (c DefaultChange) Applies() bool { return c.SetAt == nil && !c.Gone }

// Deletions counts the objects that the step deletes.
func (s Step) Deletions() int { return s.count(ChangeDelete) }

// Replacements counts the objects that the step replaces.
func (s Step) Replacements() int { return s.count(ChangeReplace) }

func (s Step) count(action ChangeAction) (n int) {
	for _, change := range s.Changes {
		if change.Action == action {
			n++
		}
	}
	return n
}

// Restarts counts the pods that the step replaces.
func (s Step) Restarts() int {
	n := 0
	for _, change := range s.Changes {
		n += change.Pods
	}
	return n
}

// LostValues counts, over all releases, the values that are set for keys which
// the new charts do not have.
func (p *Plan) LostValues() int {
	places := map[fleet.Origin]bool{}
	for _, step := range p.Steps {
		if step.Defaults == nil {
			continue
		}
		for _, key := range step.Defaults.Keys {
			if key.Gone {
				places[*key.SetAt] = true
			}
		}
	}
	return len(places)
}

// changedDefaults compares the defaults that a release was last installed with
// to those of the chart that it shall have; nil if nothing of note changed.
func changedDefaults(ctx context.Context, cluster Previewer, stored *Stored, step *Step) (*DefaultChanges, error) {
	target := step.target
	if stored == nil || target.Source == nil || stored.Chart != target.Source.Name() {
		return nil, nil
	}
	defaults, err := target.Source.StoredDefaults(target.Overrides.PlainMap())
	if err != nil {
		return nil, err
	}
	d := &defaultsDiff{chart: target.Source, overrides: target.Overrides}
	d.maps(nil, stored.Defaults, defaults)
	if len(d.keys) == 0 {
		return nil, nil
	}
	if step.Deletions() > 0 {
		caps, err := cluster.Capabilities(ctx)
		if err != nil {
			return nil, err
		}
		for i := range d.keys {
			if d.keys[i].Applies() {
				d.keys[i].Deletes = deletedBy(d.keys[i], step, caps)
			}
		}
	}
	return &DefaultChanges{From: stored.Chart + "-" + stored.Version, To: target.Source.String(), Keys: d.keys}, nil
}

// deletedBy lists the deleted objects that the chart still has with the old
// default.
func deletedBy(key DefaultChange, step *Step, caps *chart.Capabilities) []string {
	values := step.target.Overrides.PlainMap()
	pin(values, fleet.SplitPath(key.Path), key.Old)
	rendered, err := step.target.Source.Render(chart.Release{Name: step.Key.Name, Namespace: step.Key.Namespace}, values, caps)
	if err != nil {
		// The new chart does not work with the old default, so it keeps nothing.
		return nil
	}
	var out []string
	for _, change := range step.Changes {
		if change.Action == ChangeDelete && slices.ContainsFunc(rendered.Objects, func(o chart.Object) bool {
			return o.Kind == change.Kind && o.Name == change.Name && (o.Namespace == "" || o.Namespace == change.Namespace)
		}) {
			out = append(out, change.String())
		}
	}
	return out
}

func pin(values map[string]any, path []string, value any) {
	for _, step := range path[:len(path)-1] {
		below, ok := values[step].(map[string]any)
		if !ok {
			below = map[string]any{}
			values[step] = below
		}
		values = below
	}
	values[path[len(path)-1]] = value
}

// defaultsDiff walks two trees of defaults.
type defaultsDiff struct {
	chart     *chart.Chart
	overrides *fleet.Value
	keys      []DefaultChange
}

func (d *defaultsDiff) maps(path []string, old, wanted map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		at := append(slices.Clone(path), name)
		if name == "global" && len(path) > 0 {
			continue // Helm copies the parent's global to every sub-chart.
		}
		before := old[name]
		after, stays := wanted[name]
		if !stays {
			d.gone(at, before, added(old, wanted))
			continue
		}
		below, isMap := before.(map[string]any)
		next, staysMap := after.(map[string]any)
		switch {
		case isMap && staysMap && len(below) > 0 && len(next) > 0:
			d.maps(at, below, next)
		case !reflect.DeepEqual(before, after):
			d.keys = append(d.keys, DefaultChange{Path: fleet.JoinPath(at...), Old: before, New: after, SetAt: d.setAt(at)})
		}
	}
}

// gone notes a key that the chart no longer has, if somebody sets it.
func (d *defaultsDiff) gone(path []string, old any, more []string) {
	if d.chart.Knows(path...) {
		return // Of a dependency that is off now.
	}
	place := d.setAt(path)
	if place == nil {
		return
	}
	change := DefaultChange{Path: fleet.JoinPath(path...), Old: old, Gone: true, SetAt: place}
	if len(more) == 1 {
		change.Maybe = fleet.JoinPath(append(slices.Clone(path[:len(path)-1]), more[0])...)
	}
	d.keys = append(d.keys, change)
}

// added lists the keys that a map gained.
func added(old, wanted map[string]any) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, known := old[name]; !known {
			out = append(out, name)
		}
	}
	return out
}

// setAt is the place that sets a key, or a key above or below it.
func (d *defaultsDiff) setAt(path []string) *fleet.Origin {
	v := d.overrides
	for _, step := range path {
		if v == nil || v.Kind != fleet.Map {
			break
		}
		v = v.Fields[step]
	}
	for v != nil && v.Kind == fleet.Map && len(v.Fields) > 0 {
		v = v.Fields[slices.Min(v.Keys())]
	}
	if v == nil || v.Kind == fleet.Map {
		return nil
	}
	return &v.Origin
}
