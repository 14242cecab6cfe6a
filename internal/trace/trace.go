package trace

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Effect says what a value does to a field.
type Effect string

// A value is part of the field's content, changes it otherwise, or decides
// whether the object is rendered at all.
const (
	Content   Effect = "content"
	Influence Effect = "influence"
	Existence Effect = "existence"
)

// Cause is a value that decides a field.
type Cause struct {
	Effect Effect `json:"effect"`
	fleet.Explained
}

// Field is a field of a rendered object and everything that decides it.
type Field struct {
	Release  fleet.Key    `json:"release"`
	Chart    string       `json:"chart"`
	Object   chart.Object `json:"-"`
	Kind     string       `json:"kind"`
	Name     string       `json:"name"`
	Template string       `json:"template"`
	Path     string       `json:"path"`
	// Rendered says whether the object has the field; Value is its content.
	Rendered bool    `json:"rendered"`
	Value    any     `json:"value,omitempty"`
	Causes   []Cause `json:"causes"`
	// Facts are what decides the field besides values: the release's name or
	// namespace, the chart's version.
	Facts []string `json:"facts,omitempty"`
	// Live is nil where no cluster was asked.
	Live *Live `json:"live,omitempty"`

	rendered any
}

// Explain finds every value that decides a field of an object that the release
// renders. It renders the release a few hundred times.
func Explain(ctx context.Context, s Subject, object chart.Object, path Path) (*Field, error) {
	before, err := parse(object)
	if err != nil {
		return nil, err
	}
	f := &Field{
		Release: s.Key, Chart: s.Source.String(), Object: object, Kind: object.Kind, Name: object.Name,
		Template: object.Template, Path: path.String(), Causes: []Cause{},
	}
	f.rendered, f.Rendered = path.In(before)
	q := question{subject: s, object: object, path: path, place: path.fixed(before), value: f.rendered, rendered: f.Rendered}

	leaves := slices.DeleteFunc(fleet.Explain(s.Values, ""), func(leaf fleet.Explained) bool { return leaf.Path == "" })
	effects := make([]Effect, len(leaves))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, leaf := range leaves {
		group.Go(func() error {
			effects[i] = q.effectOf(ctx, leaf)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, leaf := range leaves {
		if effects[i] != "" {
			f.Causes = append(f.Causes, Cause{Effect: effects[i], Explained: leaf})
		}
	}
	order := []Effect{Content, Influence, Existence}
	slices.SortStableFunc(f.Causes, func(a, b Cause) int { return cmp.Compare(slices.Index(order, a.Effect), slices.Index(order, b.Effect)) })
	f.Facts = q.facts()
	f.Value = f.shown(f.rendered)
	return f, nil
}

// shown is a content of the field without what must not be shown: a Secret's
// data, what looks like a credential, what comes from a hidden value.
func (f *Field) shown(content any) any {
	secret := f.Kind == "Secret" && (strings.HasPrefix(f.Path, "data") || strings.HasPrefix(f.Path, "stringData"))
	if content != nil && (secret || slices.ContainsFunc(f.Causes, func(c Cause) bool { return c.Effect == Content && holds(c.Value, fleet.Hidden) })) {
		return fleet.Hidden
	}
	return fleet.Mask(fleet.SplitPath(f.Path), content, func([]string, string, any) any { return fleet.Hidden })
}

// question is what each trial answers: is the field still the same?
type question struct {
	subject Subject
	object  chart.Object
	// path is as it was asked for; place is the same by numbers, for a trial in
	// which the item has another name.
	path, place Path
	value       any
	rendered    bool
}

// effectOf tries other contents of a value until one shows in the field.
func (q question) effectOf(ctx context.Context, leaf fleet.Explained) Effect {
	path := fleet.SplitPath(leaf.Path)
	var weaker Effect
	for _, other := range q.trials(leaf, path) {
		if ctx.Err() != nil {
			return ""
		}
		switch effect := q.try(q.subject.with(path, other), other); effect {
		case Content:
			return Content
		case Influence:
			weaker = Influence
		case Existence:
			weaker = cmp.Or(weaker, Existence)
		}
	}
	return weaker
}

// trials are what is tried instead of a value; a deleted one could come back.
func (q question) trials(leaf fleet.Explained, path []string) []any {
	if !leaf.Deleted {
		return others(q.subject, path, q.subject.Values.At(path...).Plain())
	}
	var out []any
	for _, lost := range leaf.Overrode {
		if lost.Path == "" {
			out = append(out, lost.Value)
		}
	}
	return append(out, mark)
}

// try compares the field in a trial with how it is.
func (q question) try(trial *chart.Rendered, other any) Effect {
	if trial == nil || trial.Manifest == q.subject.Rendered.Manifest {
		return ""
	}
	object, found := counterpart(q.subject.Rendered, trial, q.object)
	if !found {
		return Existence
	}
	if object.Content == q.object.Content {
		return ""
	}
	content, err := parse(object)
	if err != nil {
		return ""
	}
	after, there := q.path.In(content)
	if !there && q.rendered {
		after, there = q.place.In(content)
	}
	switch {
	case there == q.rendered && reflect.DeepEqual(after, q.value):
		return ""
	case there && shows(after, other):
		return Content
	default:
		return Influence
	}
}

// facts tries what templates read besides values.
func (q question) facts() []string {
	s := q.subject
	overrides := s.Overrides.PlainMap()
	var out []string
	for _, fact := range []struct {
		says  string
		trial *chart.Rendered
	}{
		{"the release's name, " + s.Name, s.as(fleet.Key{Namespace: s.Namespace, Name: s.Name + "x"}, s.Source, overrides)},
		{"the release's namespace, " + s.Namespace, s.as(fleet.Key{Namespace: s.Namespace + "x", Name: s.Name}, s.Source, overrides)},
		{"the chart's version, " + s.Source.Version(), s.as(s.Key, s.Source.Versioned("99.99.99"), overrides)},
	} {
		if effect := q.try(fact.trial, nil); effect == Influence {
			out = append(out, fact.says)
		}
	}
	return out
}

// shows reports whether a field holds what was put into a value, or a text with
// it in.
func shows(field, other any) bool {
	return same(field, other) || holds(field, mark) && holds(other, mark) || other == markNumber && holds(field, "4711")
}

func holds(v any, text string) bool { return strings.Contains(fmt.Sprint(v), text) }

// counterpart finds an object in another rendering: by its name, or, if what
// was changed is its name, by its place in its template.
func counterpart(before, after *chart.Rendered, object chart.Object) (chart.Object, bool) {
	for _, o := range after.Objects {
		if o.Kind == object.Kind && o.Group() == object.Group() && o.Name == object.Name && o.Namespace == object.Namespace {
			return o, true
		}
	}
	old, current := siblings(before, object), siblings(after, object)
	if len(old) != len(current) {
		return chart.Object{}, false
	}
	i := slices.IndexFunc(old, func(o chart.Object) bool { return o.Name == object.Name && o.Namespace == object.Namespace })
	if i < 0 {
		return chart.Object{}, false
	}
	return current[i], true
}

// siblings are the objects of one kind that one template renders.
func siblings(rendered *chart.Rendered, object chart.Object) []chart.Object {
	var out []chart.Object
	for _, o := range rendered.Objects {
		if o.Template == object.Template && o.Kind == object.Kind {
			out = append(out, o)
		}
	}
	return out
}

func parse(object chart.Object) (map[string]any, error) {
	var content map[string]any
	if err := object.Read(&content); err != nil {
		return nil, fmt.Errorf("%s: %w", object, err)
	}
	return content, nil
}
