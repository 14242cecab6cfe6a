package charts

import (
	"maps"
	"slices"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// Who raises a version, ours or one that the platform pins, says in the record of
// that chart what is known of the ways there. So does who pins another chart.
func TestEveryPinHasARecord(t *testing.T) {
	records, err := transition.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pins := map[string]string{}
	for _, key := range fleet.ChartKeys {
		c, err := chart.OpenFS(charts.FS(), key)
		if err != nil {
			t.Fatal(err)
		}
		pins[c.Name()] = c.Version()
		for _, pin := range c.Pins() {
			pins[pin.Chart] = pin.Version
		}
		if c.Name() == "dynamo-platform" {
			for _, pin := range c.Pins() {
				if reason := transition.Outside(c.Version(), pin.Chart, pin.Version); reason != "" {
					t.Errorf("internal/transition/window.yaml: %s", reason)
				}
			}
		}
	}
	if len(pins) < 8 {
		t.Errorf("only %v were found", pins)
	}
	for _, name := range slices.Sorted(maps.Keys(pins)) {
		if !records[name].Reviewed(pins[name]) {
			t.Errorf("internal/transition/records/%s.yaml says nothing of ways to %s", name, pins[name])
		}
	}
	for name := range records {
		if pins[name] == "" {
			t.Errorf("internal/transition/records/%s.yaml is about a chart that nobody ships or pins", name)
		}
	}
}
