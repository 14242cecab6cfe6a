package trace

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Subject is a release with what it is rendered from.
type Subject struct {
	fleet.Release
	// Source is the chart that Release.Chart names.
	Source *chart.Chart
	Caps   *chart.Capabilities
	// Rendered is what the release renders as it is.
	Rendered *chart.Rendered
}

// NewSubject renders a release as it is.
func NewSubject(rel fleet.Release, source *chart.Chart, caps *chart.Capabilities) (Subject, error) {
	s := Subject{Release: rel, Source: source, Caps: caps}
	rendered, err := source.Render(chart.Release{Name: rel.Name, Namespace: rel.Namespace}, rel.Overrides.PlainMap(), caps)
	if err != nil {
		return s, fmt.Errorf("%s: release %s: %w", rel.Origin, rel.Key, rel.Hide(err))
	}
	s.Rendered = rendered
	return s, nil
}

// with renders the release with one value replaced, even where the chart would
// refuse it: a value that needs another one beside it can be traced alone. It
// returns nil where templates fail.
func (s Subject) with(path []string, value any) *chart.Rendered {
	overrides := s.Overrides.PlainMap()
	put(overrides, path, value)
	return s.as(s.Key, s.Source, overrides)
}

// as renders something like the release.
func (s Subject) as(key fleet.Key, source *chart.Chart, overrides map[string]any) *chart.Rendered {
	rendered, err := source.RenderAnyway(chart.Release{Name: key.Name, Namespace: key.Namespace}, overrides, s.Caps)
	if err != nil {
		return nil
	}
	return rendered
}

// noticed reports whether other values make another release, or none.
func (s Subject) noticed(overrides map[string]any) bool {
	rendered, err := s.Source.Render(chart.Release{Name: s.Name, Namespace: s.Namespace}, overrides, s.Caps)
	return err != nil || rendered.Manifest != s.Rendered.Manifest
}

// put sets a path within overrides; maps on the way are made.
func put(overrides map[string]any, path []string, value any) {
	for _, step := range path[:len(path)-1] {
		next, ok := overrides[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			overrides[step] = next
		}
		overrides = next
	}
	overrides[path[len(path)-1]] = value
}

func remove(overrides map[string]any, path []string) {
	for _, step := range path[:len(path)-1] {
		next, ok := overrides[step].(map[string]any)
		if !ok {
			return
		}
		overrides = next
	}
	delete(overrides, path[len(path)-1])
}
