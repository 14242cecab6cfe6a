package manager

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// A fresh install asks the API server for what it must: the namespace, each
// object, and two writes of the record. What the run as a whole asks, who else
// is in the cluster included, does not grow with the tenants.
func TestAFreshInstallAsksForLittle(t *testing.T) {
	// The run as a whole took 68 when this was written; one more request per
	// tenant passes the bound, one more answer of discovery does not.
	const tenants, whole = 12, 75
	c := cluster.Start(t)
	var platforms strings.Builder
	for i := range tenants {
		fmt.Fprintf(&platforms, "    - namespace: tenant-%d\n", i)
	}
	fleet := writeFleet(t, "metadata: {name: few}\nspec:\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms:\n"+platforms.String())
	if out, err := wheelhouse(t, c, "apply", "-f", fleet, "--no-wait"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	requests, err := c.Requests("wheelhouse/", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	// How often the lock is renewed, a CRD asked whether it is served by now, and
	// discovery read again (a request of no resource), depends on the time that
	// it takes.
	requests = slices.DeleteFunc(requests, func(r cluster.Request) bool {
		return r.Verb == "update" && r.ObjectRef.Resource == "leases" ||
			r.Verb == "get" && (r.ObjectRef.Resource == "customresourcedefinitions" || r.ObjectRef.Resource == "")
	})
	perTenant := platformObjects(t) + 3
	if most := tenants*perTenant + whole; len(requests) > most {
		t.Errorf("%d requests for %d tenants, want at most %d", len(requests), tenants, most)
	}
}

func platformObjects(t *testing.T) int {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"nats": map[string]any{"enabled": false}, "dynamo-operator": map[string]any{"namespaceRestriction": map[string]any{"enabled": true}}}
	rendered, err := c.Render(chart.Release{Name: "dynamo-platform", Namespace: "any"}, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return len(rendered.Objects)
}
