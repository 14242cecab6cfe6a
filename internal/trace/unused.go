package trace

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// UnusedValue is a value that somebody wrote and that changes nothing.
type UnusedValue struct {
	// Chart is the chart's key in the fleet file.
	Chart  string       `json:"chart"`
	Path   string       `json:"path"`
	Value  any          `json:"value"`
	Origin fleet.Origin `json:"origin"`
	// Reason says why, as far as that is known.
	Reason string `json:"reason"`
	// Releases counts the releases that are given the value.
	Releases int `json:"releases"`
}

// written is a value at a line of a file, or of a flag, and who gets it.
type written struct {
	chart, path string
	value       any
	origin      fleet.Origin
	// wins are the releases where it is in effect, loses counts those where a
	// stronger layer replaced it, by says which.
	wins  []Subject
	loses int
	by    fleet.Origin
}

// Unused finds values that have no effect on what is rendered. Each value that
// the user wrote is taken away and given other contents, of its own type and of
// wrong ones; if no object of any release changes and nothing fails, it is
// unused. Values of shipped profiles and facts derived by us do not count.
func Unused(ctx context.Context, subjects []Subject) ([]UnusedValue, error) {
	all := collect(subjects)
	unused := make([]*UnusedValue, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, w := range all {
		group.Go(func() error {
			unused[i] = w.judge(ctx)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := []UnusedValue{}
	for _, u := range unused {
		if u != nil {
			out = append(out, *u)
		}
	}
	slices.SortStableFunc(out, func(a, b UnusedValue) int {
		return cmp.Or(cmp.Compare(a.Origin.File, b.Origin.File), cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Path, b.Path))
	})
	return out, nil
}

// collect lists each value that was written once, with the releases that get it.
func collect(subjects []Subject) []*written {
	type place struct {
		chart, path string
		origin      fleet.Origin
	}
	var out []*written
	index := map[place]*written{}
	at := func(s Subject, path string, value any, origin fleet.Origin) *written {
		id := place{s.Chart, path, origin}
		if index[id] == nil {
			index[id] = &written{chart: s.Chart, path: path, value: value, origin: origin}
			out = append(out, index[id])
		}
		return index[id]
	}
	for _, s := range subjects {
		for _, leaf := range fleet.Explain(s.Overrides, "") {
			if leaf.Path == "" {
				continue
			}
			if byUser(leaf.Origin) {
				w := at(s, leaf.Path, leaf.Value, leaf.Origin)
				w.wins = append(w.wins, s)
			}
			for _, lost := range leaf.Overrode {
				if byUser(lost.Origin) {
					w := at(s, cmp.Or(lost.Path, leaf.Path), lost.Value, lost.Origin)
					w.loses, w.by = w.loses+1, leaf.Origin
				}
			}
		}
	}
	return out
}

// byUser: not a shipped profile, and not a fact that we derive.
func byUser(o fleet.Origin) bool {
	return o.Layer != fleet.LayerShared && o.Layer != fleet.LayerDefaults && !o.Shipped()
}

// judge returns nil for a value that has an effect somewhere.
func (w *written) judge(ctx context.Context) *UnusedValue {
	u := &UnusedValue{Chart: w.chart, Path: w.path, Value: w.value, Origin: w.origin, Releases: len(w.wins) + w.loses}
	if len(w.wins) == 0 {
		u.Reason = fmt.Sprintf("overridden by %s", w.by)
		if w.loses > 1 {
			u.Reason = fmt.Sprintf("overridden in every release, such as by %s", w.by)
		}
		return u
	}
	path := fleet.SplitPath(w.path)
	for _, s := range alike(w.wins) {
		if ctx.Err() != nil || s.reads(path) {
			return nil
		}
	}
	u.Reason = w.wins[0].why(path)
	return u
}

// alike keeps one of several releases that are given the same values.
func alike(subjects []Subject) []Subject {
	seen := map[string]bool{}
	var out []Subject
	for _, s := range subjects {
		values, err := json.Marshal(s.Overrides.PlainMap())
		if err == nil && seen[string(values)] {
			continue
		}
		seen[string(values)] = true
		out = append(out, s)
	}
	return out
}

// reads reports whether the release would be another with another value.
func (s Subject) reads(path []string) bool {
	for _, sw := range s.Source.Switches(nil) {
		if sw.Condition == fleet.JoinPath(path...) {
			return true
		}
	}
	without := s.Overrides.PlainMap()
	remove(without, path)
	if s.noticed(without) {
		return true
	}
	plain := s.Overrides.At(path...).Plain()
	return slices.ContainsFunc(append(others(s, path, plain), baits(plain)...), func(other any) bool {
		with := s.Overrides.PlainMap()
		put(with, path, other)
		return s.noticed(with)
	})
}

// why says what keeps a value from having an effect.
func (s Subject) why(path []string) string {
	for _, sw := range s.Source.Switches(s.Values.PlainMap()) {
		if sw.Values == path[0] && !sw.On {
			return fmt.Sprintf("%s is off (%s)", path[0], sw.Condition)
		}
	}
	name := path[len(path)-1]
	if s.Source.Mentions(path) {
		return fmt.Sprintf("templates mention %s, but it has no effect with these values", name)
	}
	if meant := spelling.Closest(name, s.siblings(path)); meant != "" {
		return fmt.Sprintf("no template mentions %s; did you mean %s?", name, meant)
	}
	return fmt.Sprintf("no template mentions %s", name)
}

// siblings are the keys that the chart has beside one.
func (s Subject) siblings(path []string) []string {
	return slices.DeleteFunc(s.Source.Defaults().At(path[:len(path)-1]...).Keys(), func(key string) bool { return key == path[len(path)-1] })
}
