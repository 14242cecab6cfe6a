package rollout

import (
	"context"
	"encoding/base64"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// ValueChange is a value that a release is given now and was not given before,
// or no longer.
type ValueChange struct {
	Path string `json:"path"`
	// Old and New are hidden where they may be secret; Old is there only if the
	// chart's default was it, or if it is no text.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
	// Gone says that the value is no longer given.
	Gone bool `json:"gone,omitempty"`
	// SetAt is where the new value is given.
	SetAt fleet.Origin `json:"setAt,omitzero"`
}

// valueChanges compares the values of a release's record with those that it
// shall have.
func valueChanges(stored *Stored, wanted *fleet.Value) []ValueChange {
	if stored == nil || stored.Values == nil && stored.Chart == "" {
		return nil
	}
	var out []ValueChange
	plain := wanted.PlainMap()
	for _, leaf := range fleet.Explain(wanted, "") {
		path := fleet.SplitPath(leaf.Path)
		now, _ := lookup(plain, path)
		before, given := lookup(stored.Values, path)
		if given && reflect.DeepEqual(before, now) {
			continue
		}
		change := ValueChange{Path: leaf.Path, New: leaf.Value, SetAt: leaf.Origin}
		if !given {
			before, _ = lookup(stored.Defaults, path)
			if reflect.DeepEqual(before, now) {
				continue
			}
		}
		if _, text := before.(string); leaf.Value != fleet.Hidden && (!given || !text) {
			change.Old = before
		}
		out = append(out, change)
	}
	for _, path := range leaves(nil, stored.Values) {
		if _, still := lookup(plain, path); !still {
			out = append(out, ValueChange{Path: fleet.JoinPath(path...), Gone: true})
		}
	}
	return out
}

// shownChanges are the changes of values as they may be shown: not what a Secret
// holds.
func (t Target) shownChanges(stored *Stored) []ValueChange {
	var secrets strings.Builder
	for _, o := range t.Rendered.Objects {
		if o.Kind == "Secret" {
			secrets.WriteString(o.Content)
		}
	}
	held := secrets.String()
	changes := valueChanges(stored, t.Overrides)
	for i := range changes {
		if within(held, changes[i].New) || within(held, changes[i].Old) {
			changes[i].New, changes[i].Old = fleet.Hidden, nil
		}
	}
	return changes
}

// within reports whether a text holds a value, or any of a list or mapping, as
// it is or as base64.
func within(text string, value any) bool {
	switch v := value.(type) {
	case string:
		return v != "" && (strings.Contains(text, v) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(v))))
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return within(text, item) })
	case map[string]any:
		for _, item := range v {
			if within(text, item) {
				return true
			}
		}
	}
	return false
}

// lookup follows a path in plain values.
func lookup(plain any, path []string) (any, bool) {
	for _, step := range path {
		switch v := plain.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, false
			}
			plain = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			plain = v[i]
		default:
			return nil, false
		}
	}
	return plain, true
}

// leaves lists the paths of what is no mapping.
func leaves(path []string, plain map[string]any) [][]string {
	var out [][]string
	for _, key := range slices.Sorted(maps.Keys(plain)) {
		here := append(append([]string(nil), path...), key)
		if inner, ok := plain[key].(map[string]any); ok && len(inner) > 0 {
			out = append(out, leaves(here, inner)...)
			continue
		}
		out = append(out, here)
	}
	return out
}

// Ask is where a fleet file asks for another state of a release than it is in.
type Ask struct {
	fleet.Key
	// At are the places, the first of each file line; empty if only the chart
	// differs, or what is no longer given.
	At []fleet.Origin
}

// StillAsked lists the releases that the file wants otherwise than their records
// say.
func (d *Desired) StillAsked(ctx context.Context, releases Records, records map[fleet.Key]Record) ([]Ask, error) {
	var out []Ask
	for _, rel := range d.Set.Releases {
		wanted, err := digestFor(rel, d.Charts[rel.Chart])
		if err != nil {
			return nil, err
		}
		record, installed := records[rel.Key]
		if installed && record.Digest == wanted {
			continue
		}
		ask := Ask{Key: rel.Key}
		if !installed {
			ask.At = append(ask.At, rel.Origin)
		} else if record.Digest.Values != wanted.Values {
			stored, err := releases.Stored(ctx, rel.Key, 0)
			if err != nil {
				return nil, err
			}
			for _, change := range valueChanges(stored, rel.Overrides) {
				if change.SetAt.Line > 0 {
					ask.At = append(ask.At, change.SetAt)
				}
			}
		}
		out = append(out, ask)
	}
	return out, nil
}
