package manager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const fleetHead = "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\n"

// A cluster with somebody else's cluster-wide operator refuses ours, before
// anything is written. The charts are the ones that we ship.
func TestForeignOperatorIsRefused(t *testing.T) {
	c := cluster.Start(t)
	wide := writeFleet(t, "metadata: {name: theirs}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: theirs, scope: cluster}]}\n")
	if out, err := wheelhouse(t, c, "apply", "-f", wide, "--no-wait"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before := writes(t, c)
	for _, spec := range []string{"{namespace: ours}", "{namespace: ours, scope: cluster}", "{namespace: theirs, release: other}"} {
		ours := writeFleet(t, "metadata: {name: ours}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: ["+spec+"]}\n")
		out, err := wheelhouse(t, c, "apply", "-f", ours)
		if err == nil {
			t.Fatalf("%s was accepted:\n%s", spec, out)
		}
		for _, want := range []string{
			"OPERATOR OF RELEASE   NAMESPACE   SCOPE     VERSION   FOUND BY",
			"dynamo-platform       theirs      cluster   1.0.0     ClusterRole",
			"conflicts with release theirs/dynamo-platform (scope cluster",
			"helm -n theirs get manifest dynamo-platform",
			"ALSO IN THE CLUSTER", "validating webhook", "ValidatingWebhookConfiguration dynamo-platform-dynamo-operator-validating",
			"[C-20]", "`wheelhouse rules C-20`",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is missing from:\n%s", spec, want, out)
			}
		}
	}
	refusedAtOnce(t, c)
	if after := writes(t, c); after != before {
		t.Errorf("refused rollouts made %d writes", after-before)
	}
	mixedScopesNeedNoCluster(t, c)
	// The fleet that owns it may go on.
	if out, err := wheelhouse(t, c, "apply", "-f", wide, "--no-wait"); err != nil || !strings.Contains(out, "unchanged") {
		t.Errorf("%v\n%s", err, out)
	}
	if after := writes(t, c); after != before {
		t.Errorf("a no-change apply made %d writes", after-before)
	}
}

// refusedAtOnce: within a second. Other tests keep the machine busy, so the
// fastest of some runs counts.
func refusedAtOnce(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ours := writeFleet(t, "metadata: {name: ours}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: ours}]}\n")
	fastest := time.Hour
	for range 20 {
		began := time.Now()
		if out, err := wheelhouse(t, c, "apply", "-f", ours); err == nil {
			t.Fatalf("accepted:\n%s", out)
		}
		if fastest = min(fastest, time.Since(began)); fastest < time.Second {
			t.Logf("refused within %v", fastest)
			return
		}
	}
	t.Errorf("a refusal takes at least %v", fastest)
}

// mixedScopesNeedNoCluster: a fleet that mixes scopes is refused before a
// single request.
func mixedScopesNeedNoCluster(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	requests := func() int {
		all, err := c.Requests("wheelhouse/", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := requests()
	mixed := writeFleet(t, "metadata: {name: mixed}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: wide, scope: cluster}, {namespace: narrow}]}\n")
	began := time.Now()
	out, err := wheelhouse(t, c, "apply", "-f", mixed)
	t.Logf("refused within %v", time.Since(began))
	if err == nil || !strings.Contains(out, "platform narrow/dynamo-platform is restricted to its namespace, but platform wide/dynamo-platform") || !strings.Contains(out, "[C-19]") {
		t.Errorf("%v\n%s", err, out)
	}
	if after := requests(); after != before {
		t.Errorf("it asked the API server %d times", after-before)
	}
}

func writeFleet(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(path, []byte(fleetHead+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wheelhouse(t *testing.T, c *cluster.Cluster, args ...string) (string, error) {
	t.Helper()
	return output(c, filepath.Join(tools, "wheelhouse"), args...)
}

// writes counts what wheelhouse wrote, from the API server's audit log.
func writes(t *testing.T, c *cluster.Cluster) int {
	t.Helper()
	requests, err := c.Requests("wheelhouse/", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, r := range requests {
		if r.Writes() {
			count++
		}
	}
	return count
}
