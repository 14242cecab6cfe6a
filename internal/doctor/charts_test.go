package doctor

import (
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// What our charts install is no fault by itself: capabilities, network policies,
// bindings.
func TestOurChartsAreHealthy(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"chrek": {"engine": map[string]any{"enabled": true}, "networkPolicy": map[string]any{"enabled": true}},
		"platform": {
			"nats":            map[string]any{"enabled": false},
			"dynamo-operator": map[string]any{"namespaceRestriction": map[string]any{"enabled": true}},
		},
	} {
		c, err := chart.OpenFS(charts.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := c.Render(chart.Release{Name: name, Namespace: "team", Revision: 1}, values, chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		var manifests []string
		for _, o := range rendered.Objects {
			switch o.Kind {
			case "DaemonSet", "Deployment", "NetworkPolicy", "RoleBinding":
				manifests = append(manifests, o.Content)
			}
		}
		s := read(t, strings.Join(manifests, "\n---\n"))
		if n := len(s.Deployments) + len(s.DaemonSets); n != 1 {
			t.Errorf("%s has %d workloads", name, n)
		}
		for i := range s.Bindings {
			s.Bindings[i].Namespace = "team"
		}
		for _, f := range all(Diagnose(s).Findings) {
			switch f.Check {
			case "runtime-class-missing", "no-matching-node", "workload-not-ready": // there is no cluster
			default:
				t.Errorf("%s: %s at %s: %s", name, f.Check, f.At, f.Seen)
			}
		}
	}
}
