package crdsafety

import (
	"context"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// The definitions that we ship are among those that are compared and judged:
// unchanged they differ in nothing, and their schemas and rules compile.
func TestOurOwnDefinitions(t *testing.T) {
	c, err := chart.OpenFS(charts.FS(), "crds")
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := c.Render(chart.Release{Name: "r", Namespace: "n"}, nil, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range rendered.Objects {
		if object.Kind != "CustomResourceDefinition" {
			continue
		}
		crd, err := Parse(object.Content)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := Compare(crd, crd)
		if err != nil || len(changes) > 0 {
			t.Errorf("%s: %v %v", crd.Name, changes, err)
		}
		j, err := newJudge(storage(crd))
		if err != nil {
			t.Fatalf("%s: %v", crd.Name, err)
		}
		empty := map[string]any{"apiVersion": crd.Spec.Group + "/" + storage(crd).Name, "kind": crd.Spec.Names.Kind, "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"noSuchField": true}}
		found := false
		for _, f := range j.faults(context.Background(), empty) {
			found = found || f.field == "spec.noSuchField" && f.dropped
		}
		if _, known := j.structural.Properties["spec"]; known && !j.structural.Properties["spec"].XPreserveUnknownFields && !found {
			t.Errorf("%s: an unknown field of spec is kept: %v", crd.Name, j.faults(context.Background(), empty))
		}
	}
}
