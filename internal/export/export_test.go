package export

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// read is a fleet of ours, by its spec.
func read(t *testing.T, spec string) (*rollout.Desired, Fleet) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: x}\nspec:\n"+spec), 0o600); err != nil {
		t.Fatal(err)
	}
	desired, err := rollout.Read(rollout.Source{File: file, Files: fleet.Disk{}, Charts: charts.FS(), Profiles: charts.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := desired.Targets(t.Context(), chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return desired, Fleet{Targets: targets, Waves: desired.Set.Waves, Registry: "oci://r.example.com/charts", History: desired.Fleet.History}
}

const waves = `
  waves: [first, second]
  crds: {conversion: true}
  values: [{platform: {nats: {enabled: false}}}]
  platforms:
    - {namespace: last}
    - {namespace: b, wave: second, checkpoint: {enabled: true}}
    - {namespace: c, wave: second}
    - {namespace: a, wave: first, checkpoint: {enabled: true}}
    - {namespace: d, wave: first}
`

// What the manager waits for before a release, the other tool waits for as well.
func TestTheOrderIsThatOfThePlan(t *testing.T) {
	for name, spec := range map[string]string{
		"waves":     waves,
		"one wave":  "  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: a, checkpoint: {enabled: true}}, {namespace: b}]\n",
		"elsewhere": "  crds: {install: false}\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: a}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			desired, exported := read(t, spec)
			plan, err := rollout.NewPlan(desired, &rollout.Snapshot{Targets: exported.Targets})
			if err != nil {
				t.Fatal(err)
			}
			steps := map[string][]string{}
			for _, step := range plan.Steps {
				steps[step.ID] = step.Needs
			}
			order, depths := map[string][]string{}, exported.depths()
			for key, before := range exported.order() {
				for _, each := range before {
					order["release "+key.String()] = append(order["release "+key.String()], "release "+each.String())
					if depths[each] >= depths[key] {
						t.Errorf("%s waits for %s, and its sync wave %d is not after %d", key, each, depths[key], depths[each])
					}
				}
			}
			for _, target := range exported.Targets {
				id := "release " + target.String()
				if diff := cmp.Diff(above(steps, id), above(order, id)); diff != "" {
					t.Errorf("before %s (-plan +export):\n%s", id, diff)
				}
			}
		})
	}
}

// above lists the releases that a step waits for, by whatever way.
func above(needs map[string][]string, id string) []string {
	seen := map[string]bool{}
	var walk func(id string)
	walk = func(id string) {
		for _, need := range needs[id] {
			if !seen[need] {
				seen[need] = true
				walk(need)
			}
		}
	}
	walk(id)
	var out []string
	for need := range seen {
		if strings.HasPrefix(need, "release ") {
			out = append(out, need)
		}
	}
	slices.Sort(out)
	return out
}

// A name that would end in a label of an object must fit there.
func TestANameThatIsTooLongIsRefused(t *testing.T) {
	namespace := strings.Repeat("n", 60)
	_, exported := read(t, "  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: "+namespace+"}]\n")
	if _, err := Flux(exported); err == nil || !strings.Contains(err.Error(), "has 76 characters and may have 63") {
		t.Errorf("%v", err)
	}
}

// What the manager tells a chart of itself is not said to somebody else.
func TestFactsOfTheManagerStayBehind(t *testing.T) {
	values := map[string]any{"a": map[string]any{"b": map[string]any{"c": true}, "d": 1}, "e": map[string]any{"f": true}}
	remove(values, []string{"a", "b", "c"})
	remove(values, []string{"e", "f"})
	remove(values, []string{"x", "y"})
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"d": 1}}, values); diff != "" {
		t.Error(diff)
	}
}
