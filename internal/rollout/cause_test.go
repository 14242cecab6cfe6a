package rollout

import (
	"errors"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// A failure says which file and line set what it is about.
func TestFailureNamesWhatSetIt(t *testing.T) {
	overrides := fleet.NewMap(fleet.Origin{}).Put(
		fleet.NewScalar("1.0.9", fleet.Origin{File: "tenants/a.yaml", Line: 8, Column: 15}), "dynamo-operator", "image", "tag")
	s := Step{target: Target{Release: fleet.Release{Chart: "platform", Overrides: overrides, Values: overrides}}}
	got := s.SetBy(errors.New(`ImagePullBackOff: Back-off pulling image "registry.example.com/operator:1.0.9": not found`))
	if want := "tenants/a.yaml:8:15 (platform.dynamo-operator.image.tag)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.SetBy(errors.New("tag 11.0.91 is another")); got != "" {
		t.Errorf("a part of another word: %q", got)
	}
}

// A change of a value names both sides where that gives nothing away.
func TestValueChanges(t *testing.T) {
	at := fleet.Origin{File: "f.yaml", Line: 1, Column: 1}
	put := func(v *fleet.Value, plain any, path ...string) *fleet.Value {
		return v.Put(fleet.NewScalar(plain, at), path...)
	}
	wanted := put(put(put(put(fleet.NewMap(at), "debug", "logLevel"), 2.0, "replicas"), "same", "text"), "hunter2", "note")
	stored := &Stored{
		Chart: "c", Defaults: map[string]any{"logLevel": "info", "replicas": 1.0},
		Values: map[string]any{"replicas": 3.0, "text": "same", "gone": map[string]any{"key": "x"}, "note": "hunter1"},
	}
	target := Target{Release: fleet.Release{Overrides: wanted}, Rendered: &chart.Rendered{Objects: []chart.Object{{Kind: "Secret", Content: "data: {a: aHVudGVyMg==}"}}}}
	want := []ValueChange{
		{Path: "logLevel", Old: "info", New: "debug", SetAt: at},
		{Path: "note", New: fleet.Hidden, SetAt: at},
		{Path: "replicas", Old: 3.0, New: 2.0, SetAt: at},
		{Path: "gone.key", Gone: true},
	}
	got := target.shownChanges(stored)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}
