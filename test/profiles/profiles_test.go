// Package profiles tests what the shipped profiles change, and that they go together.
package profiles

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var profiles = []string{"air-gapped", "aks-spot", "dev", "gitops", "prod"}

// everything turns on what a profile may have a say in.
const everything = `apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: p}
spec:
  charts: {crds: %s}
  profiles: [%s]
  shared: {registry: registry.example.com/mirror, checkpoint: {enabled: true}}
  values: [{platform: {nats: {enabled: true}, etcd: {enabled: true}}}]
  platforms: [{namespace: team, scope: %s}]
`

// fixtureCharts stand in for third-party charts.
type fixtureCharts struct{}

func (fixtureCharts) Find(d chart.Dependency, _ signature.Policy) (*chart.Chart, error) {
	return chart.Open(filepath.Join("../thirdparty/charts", d.Name))
}

// withProfiles reads a fleet that uses some profiles, and renders it.
func withProfiles(t *testing.T, scope string, caps *chart.Capabilities, names ...string) (*rollout.Desired, []rollout.Target) {
	t.Helper()
	crds, err := filepath.Abs("../manager/testdata/charts/crds")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, everything, crds, strings.Join(names, ", "), scope), 0o600); err != nil {
		t.Fatal(err)
	}
	desired, err := rollout.Read(rollout.Source{
		File: file, Files: fleet.Disk{}, Charts: charts.FS(), Profiles: charts.Profiles(), Dependencies: fixtureCharts{},
	})
	if err != nil {
		t.Fatalf("%v: %v", names, err)
	}
	targets, err := desired.Targets(t.Context(), caps)
	if err != nil {
		t.Fatalf("%v: %v", names, err)
	}
	return desired, targets
}

func TestEveryProfileIsTested(t *testing.T) {
	entries, err := os.ReadDir("../../charts/profiles")
	if err != nil {
		t.Fatal(err)
	}
	var shipped []string
	for _, entry := range entries {
		shipped = append(shipped, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	if diff := cmp.Diff(profiles, shipped); diff != "" {
		t.Error(diff)
	}
}

// What a profile changes in the rendered objects, leaf by leaf, against none.
func TestGoldenProfiles(t *testing.T) {
	for _, profile := range profiles {
		var out strings.Builder
		for _, scope := range []string{fleet.ScopeCluster, fleet.ScopeNamespace} {
			_, before := withProfiles(t, scope, chart.OfflineCapabilities())
			_, after := withProfiles(t, scope, chart.OfflineCapabilities(), profile)
			fmt.Fprintf(&out, "# scope: %s\n", scope)
			changes(&out, leavesOf(t, before), leavesOf(t, after))
		}
		golden(t, profile+".txt", out.String())
	}
}

// A profile overrides only what differs. The one for GitOps also pins switches.
func TestProfilesOverrideOnlyWhatDiffers(t *testing.T) {
	for _, profile := range profiles {
		desired, _ := withProfiles(t, fleet.ScopeCluster, chart.OfflineCapabilities(), profile)
		for _, rel := range desired.Set.Releases {
			defaults := desired.Charts[rel.Chart].Defaults()
			for _, leaf := range fleet.Explain(rel.Values, "") {
				if leaf.Origin.Layer != fleet.LayerProfile || profile == "gitops" {
					continue
				}
				if old := defaults.At(fleet.SplitPath(leaf.Path)...); old != nil && cmp.Equal(old.Plain(), leaf.Value) {
					t.Errorf("profile %s sets %s.%s to its default, %v", profile, rel.Chart, leaf.Path, leaf.Value)
				}
			}
		}
	}
}

// Any two profiles go together, in both orders; of what both say, the later wins.
func TestProfilesCombine(t *testing.T) {
	for _, first := range profiles {
		for _, second := range profiles {
			if first == second {
				continue
			}
			both, _ := withProfiles(t, fleet.ScopeNamespace, chart.OfflineCapabilities(), first, second)
			for _, rel := range both.Set.Releases {
				for _, leaf := range fleet.Explain(rel.Values, "") {
					if leaf.Origin.Layer == fleet.LayerProfile && leaf.Origin.File == "profile:"+first &&
						slices.ContainsFunc(leaf.Overrode, func(c fleet.Candidate) bool { return c.Origin.File == "profile:"+second }) {
						t.Errorf("[%s, %s]: %s is %s's", first, second, leaf.Path, first)
					}
				}
			}
		}
	}
}

// With gitops, a cluster that knows more APIs gets the same bytes.
func TestGitOpsRendersTheSameEverywhere(t *testing.T) {
	rich := chart.OfflineCapabilities()
	rich.APIVersions = append(slices.Clone(rich.APIVersions), "monitoring.coreos.com/v1", "cert-manager.io/v1", "grove.io/v1alpha1", "scheduling.run.ai/v2")
	_, offline := withProfiles(t, fleet.ScopeCluster, chart.OfflineCapabilities(), "gitops")
	_, live := withProfiles(t, fleet.ScopeCluster, rich, "gitops")
	for i := range offline {
		if diff := cmp.Diff(offline[i].Rendered.Manifest, live[i].Rendered.Manifest); diff != "" {
			t.Errorf("%s: %s", offline[i].Key, diff)
		}
	}
}

// leavesOf flattens all rendered objects: "Kind/name" to "path: value".
func leavesOf(t *testing.T, targets []rollout.Target) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, target := range targets {
		for _, object := range target.Rendered.Objects {
			var content any
			if err := yaml.Unmarshal([]byte(object.Content), &content); err != nil {
				t.Fatal(err)
			}
			out := map[string]string{}
			flatten(out, "", content)
			all[object.Kind+"/"+object.Name] = out
		}
	}
	return all
}

func flatten(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, field := range v {
			flatten(out, path+"."+key, field)
		}
	case []any:
		for i, item := range v {
			flatten(out, fmt.Sprintf("%s[%d]", path, i), item)
		}
	default:
		// The configuration is a text; what the chart makes of it is tested there.
		if !strings.Contains(path, "checksum/") && !strings.HasSuffix(path, ".yaml") {
			out[path] = fmt.Sprintf("%q", fmt.Sprint(v))
		}
	}
}

// changes writes new and gone objects, and what is different in the others.
func changes(out *strings.Builder, before, after map[string]map[string]string) {
	for _, object := range keysOf(before, after) {
		switch old, now := before[object], after[object]; {
		case old == nil:
			fmt.Fprintf(out, "+ %s\n", object)
		case now == nil:
			fmt.Fprintf(out, "- %s\n", object)
		default:
			for _, path := range keysOf(old, now) {
				if old[path] != now[path] {
					fmt.Fprintf(out, "~ %s %s: %s -> %s\n", object, path, orNothing(old[path]), orNothing(now[path]))
				}
			}
		}
	}
}

func keysOf[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

// golden compares a text with the file that `make golden` writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-golden +rendered); if that is meant, run `make golden`:\n%s", path, diff)
	}
}
