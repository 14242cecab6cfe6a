package check

import (
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// openProblems looks where a schema must be open, because charts that it does
// not know may read there: at `global`, and in what is passed on to third-party
// charts. A fleet is known as a whole, so more can be told.
func openProblems(rel fleet.Release, c *chart.Chart) []fleet.Problem {
	schemas := c.Schemas()
	return slices.Concat(unreadGlobals(rel, c, schemas), nearlyEnabled(rel, schemas))
}

// unreadGlobals finds keys of `global` that no chart of the release knows. What
// a third-party chart reads without listing it can be put below that chart's key.
func unreadGlobals(rel fleet.Release, c *chart.Chart, schemas []chart.Schema) []fleet.Problem {
	known := map[string]any{}
	for _, schema := range schemas {
		if compiled, err := compile(schema); err == nil {
			maps.Copy(known, compiled.node("#/properties/global/properties"))
		}
	}
	addGlobals(c.Defaults(), known)
	if len(known) == 0 {
		return nil
	}
	var unread []string
	global := rel.Values.Field("global")
	for _, key := range global.Keys() {
		if known[key] == nil && global.Field(key).Origin.Layer != fleet.LayerShared {
			unread = append(unread, key)
		}
	}
	return unknownKeys(unread, map[string]any{"properties": known}, []string{"global"}, rel, schemas)
}

// addGlobals collects the keys below every `global` in the defaults.
func addGlobals(defaults *fleet.Value, known map[string]any) {
	for _, key := range defaults.Keys() {
		if key != "global" {
			addGlobals(defaults.Field(key), known)
			continue
		}
		for _, name := range defaults.Field(key).Keys() {
			known[name] = true
		}
	}
}

// nearlyEnabled finds a misspelt `enabled` where it is the only key of ours.
func nearlyEnabled(rel fleet.Release, schemas []chart.Schema) []fleet.Problem {
	ours := map[string]any{"properties": map[string]any{"enabled": true}}
	var problems []fleet.Problem
	for _, schema := range schemas {
		compiled, err := compile(schema)
		if err != nil {
			continue
		}
		properties, _ := compiled.node("")["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if section, _ := properties[name].(map[string]any); section["$ref"] != "#/$defs/passedOn" {
				continue
			}
			path := append(slices.Clone(schema.Path), name)
			for _, key := range rel.Values.At(path...).Keys() {
				if key != "enabled" && spelling.Closest(key, []string{"enabled"}) != "" {
					problems = append(problems, unknownKeys([]string{key}, ours, path, rel, nil)...)
				}
			}
		}
	}
	return problems
}
