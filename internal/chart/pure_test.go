package chart

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
)

// A second rendering doubles the time of every command. That ours need none is held
// where each of their modes is rendered twice.
func TestOurOwnChartsAreRenderedOnce(t *testing.T) {
	for _, name := range []string{"crds", "conversion", "platform", "chrek"} {
		c, err := OpenFS(charts.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.traits(); got.random || got.asksKinds {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
