package manager

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// An installed release that is to be of another version: what asks for steps and what is
// unknown is warned of, what is blocked is refused before anything is written, and what
// stays is not spoken of.
func TestUpgradesAreJudgedByTheirRecords(t *testing.T) {
	c := cluster.Start(t)
	life := operation{t: t, c: c}
	fleet := func(name, charts, platforms string) string {
		return writeFleet(t, fmt.Sprintf("metadata: {name: %s}\nspec:\n  charts: {%s}\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [%s]\n", name, charts, platforms))
	}
	says := func(out string, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if !strings.Contains(oneLine(out), want) {
				t.Errorf("it does not say %q:\n%s", want, out)
			}
		}
	}
	of := func(version, crds string) string {
		return fleet("ways", "platform: "+versioned(t, "platform", version)+", crds: "+versioned(t, "crds", crds), "{namespace: team-a}")
	}
	old, current, newer := of("0.9.0", "1.0.0"), of("1.0.0", "1.0.0"), of("1.1.0", "1.1.0")
	says(life.does("upgrade-check", "-f", old), "2 releases are not installed: nothing to go from.")
	life.does("apply", "-f", old, "--no-wait", "--yes")

	// Steps by hand.
	const manual = "dynamo-platform from 0.9.0 to 1.0.0"
	says(life.says(2, "upgrade-check", "-f", current), manual+" is manual: what is installed is a published chart", "2. upgrade dynamo-crds first", "Next: do these steps, then `wheelhouse apply")
	says(life.says(2, "upgrade-check"), manual+" is manual", "dynamo-crds default/dynamo-crds 1.0.0 1.0.0 unchanged")
	friday := filepath.Join(t.TempDir(), "friday.plan")
	says(life.says(2, "plan", "-f", current, "--out", friday), "warning: release team-a/dynamo-platform: "+manual+" asks for steps by hand", "[C-48]")
	says(life.says(2, "upgrade-check", "--plan", friday), manual+" is manual")
	says(life.does("apply", "-f", current, "--no-wait", "--yes"), "warning: release team-a/dynamo-platform: "+manual+" asks for steps by hand")

	// The same version.
	says(life.does("upgrade-check", "-f", current), "dynamo-platform team-a/dynamo-platform 1.0.0 1.0.0 unchanged")
	life.does("upgrade-check")
	if out := life.does("plan", "-f", current, "--drift"); strings.Contains(out, "C-48") {
		t.Errorf("it speaks of what stays:\n%s", out)
	}

	// Unknown, there and back.
	const there, back = "dynamo-platform from 1.0.0 to 1.1.0", "dynamo-platform from 1.1.0 to 1.0.0"
	says(life.says(2, "upgrade-check", "-f", newer), there+" is unknown: nobody has looked at dynamo-platform 1.1.0")
	says(life.does("apply", "-f", newer, "--no-wait", "--yes"), "warning: release team-a/dynamo-platform: "+there+" is unknown")
	says(life.says(2, "plan", "-f", of("1.0.0", "1.1.0")), "warning: release team-a/dynamo-platform: "+back+" is unknown: nobody has gone back to 1.0.0")

	// Blocked.
	life.does("destroy", "-f", newer, "--yes")
	life.does("apply", "-f", fleet("ways", "", ""), "--no-wait", "--yes")
	definitions := fleet("ways", "crds: "+versioned(t, "crds", "0.9.0")+", platform: "+versioned(t, "platform", "0.9.0"), "")
	const blocked = "release default/dynamo-crds: dynamo-crds from 1.0.0 to 0.9.0 is blocked"
	says(life.says(2, "upgrade-check", "-f", definitions), "dynamo-crds from 1.0.0 to 0.9.0 is blocked", "Next: keep dynamo-crds 1.0.0")
	before := writes(t, c)
	for _, verb := range [][]string{{"plan", "-f", definitions}, {"apply", "-f", definitions, "--no-wait", "--yes", "--accept-crd-breakage"}} {
		says(life.says(1, verb...), "nothing was written:", blocked, "[C-47]", "Why: `wheelhouse rules C-47`")
	}
	if after := writes(t, c); after != before {
		t.Errorf("what is blocked wrote %d times", after-before)
	}
}

// versioned is a package of one of our charts with another version.
func versioned(t *testing.T, key, version string) string {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Versioned(version).Package()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), key+".tgz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
