package charts

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/images"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// One version everywhere: a chart whose image is another release's would run
// an operator that does not know its configuration.
func TestVersionsAgree(t *testing.T) {
	for _, folder := range []string{"conversion", "crds", "platform", "platform/components/operator", "chrek"} {
		c, err := chart.OpenFS(charts.FS(), folder)
		if err != nil {
			t.Fatal(err)
		}
		metadata := c.Helm().Metadata
		if metadata.Version != images.Version || metadata.AppVersion != images.Version {
			t.Errorf("%s: version %s, appVersion %s; the images are %s", folder, metadata.Version, metadata.AppVersion, images.Version)
		}
		for _, d := range metadata.Dependencies {
			if d.Name == "dynamo-operator" && d.Version != images.Version {
				t.Errorf("%s depends on %s %s, want %s", folder, d.Name, d.Version, images.Version)
			}
		}
	}
}
