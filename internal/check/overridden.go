package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// overriddenProblems finds what people wrote, but what nothing checks any more
// because a stronger layer took its place in a way that is surely not meant.
func overriddenProblems(rel fleet.Release, schemas []chart.Schema) []fleet.Problem {
	problems := shapeProblems(rel, rel.Values, nil)
	for _, schema := range schemas {
		if len(schema.Path) > 0 {
			path := append(slices.Clone(schema.Path), "global")
			problems = append(problems, lostGlobals(rel, rel.Values.Field("global"), rel.Values.At(path...), path)...)
		}
	}
	return problems
}

// shapeProblems finds a mapping that lost against something else, or the other
// way round: one of the two has the wrong type, and the schema sees only one.
func shapeProblems(rel fleet.Release, v *fleet.Value, path []string) []fleet.Problem {
	var problems []fleet.Problem
	for _, lost := range v.Overrode {
		wasMapping := lost.Path != ""
		if lost.Origin.Layer == fleet.LayerDefaults || lost.Value == nil || v.IsNull() || wasMapping == (v.Kind == fleet.Map) {
			continue
		}
		is := "is no mapping"
		if wasMapping {
			is = "is a mapping"
		}
		problems = append(problems, fleet.Problem{
			Origin:  lost.Origin,
			Message: fmt.Sprintf("%s: %s here, and something else where it is overridden: %s", dotted(rel.Chart, path), is, v.Origin),
			Fix:     "make both the same type",
		})
	}
	for _, key := range v.Keys() {
		problems = append(problems, shapeProblems(rel, v.Field(key), append(slices.Clone(path), key))...)
	}
	return problems
}

// lostGlobals finds globals that were set for a sub-chart alone, where those of
// the release win.
func lostGlobals(rel fleet.Release, top, sub *fleet.Value, path []string) []fleet.Problem {
	var problems []fleet.Problem
	for _, key := range top.Keys() {
		problems = append(problems, lostGlobals(rel, top.Field(key), sub.Field(key), append(slices.Clone(path), key))...)
	}
	if sub == nil || top == nil || top.Kind == fleet.Map {
		return problems
	}
	for _, lost := range sub.Overrode {
		known := slices.ContainsFunc(top.Overrode, func(c fleet.Candidate) bool { return c.Origin == lost.Origin })
		if known || lost.Origin == top.Origin || lost.Origin.Layer == fleet.LayerDefaults || asJSON(lost.Value) == asJSON(top.Plain()) {
			continue
		}
		at := slices.Index(path, "global")
		problems = append(problems, fleet.Problem{
			Origin:  lost.Origin,
			Message: fmt.Sprintf("%s: has no effect, because the release's own %s wins", dotted(rel.Chart, path), strings.Join(path[at:], ".")),
			Fix:     "set " + dotted(rel.Chart, path[at:]),
		})
	}
	return problems
}
