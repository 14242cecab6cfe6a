// Package mutation makes valid values wrong, at random and with a fixed seed,
// and counts how many are refused before a cluster is touched.
package mutation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// document is a file that a person writes.
type document struct {
	name string
	// check returns what our tools say about the document, without a cluster.
	check func(content []byte) error
	// free are paths below which keys are free; foreign ones belong to charts
	// that are not ours. A * stands for any step.
	free, foreign []string
	content       map[string]any
}

// memory holds the files of a fleet.
type memory map[string][]byte

func (m memory) Read(path string) ([]byte, error) {
	if data, ok := m[path]; ok {
		return data, nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (m memory) Glob(pattern string) (found []string, err error) {
	for path := range m {
		if ok, err := filepath.Match(pattern, path); err != nil || !ok {
			continue
		}
		found = append(found, path)
	}
	return found, nil
}

// fixtureCharts stand in for third-party charts.
type fixtureCharts struct{}

func (fixtureCharts) Find(d chart.Dependency, _ signature.Policy) (*chart.Chart, error) {
	return chart.Open(filepath.Join("../thirdparty/charts", d.Name))
}

// validate is what `wheelhouse validate` does.
func validate(files memory) error {
	desired, err := rollout.Read(rollout.Source{
		File: "fleet.yaml", Files: files, Charts: charts.FS(), Profiles: charts.Profiles(), Dependencies: fixtureCharts{},
	})
	if err != nil {
		return err
	}
	_, err = desired.Targets(context.Background(), chart.OfflineCapabilities())
	return err
}

// checkValues checks a values file of a fleet, whose top keys name charts.
func checkValues(content []byte) error {
	return validate(memory{
		"fleet.yaml": []byte(`
apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: mutation}
spec:
  values: [values.yaml]
  platforms: [{namespace: inference, scope: cluster}]
`),
		"values.yaml": content,
	})
}

func checkFleet(content []byte) error {
	return validate(memory{
		"fleet.yaml":       content,
		"values.yaml":      []byte("platform: {dynamo-operator: {controllerManager: {replicas: 2}}}\n"),
		"tenants/one.yaml": []byte("namespace: one\n"),
	})
}

// checkChrek does the same for the chart that no fleet steers yet.
func checkChrek(content []byte) error {
	all, err := fleet.ParseValues("values.yaml", fleet.LayerFleet, content)
	if err != nil {
		return err
	}
	overrides := all.Field("chrek")
	if len(all.Fields) != 1 || overrides == nil || overrides.Kind != fleet.Map {
		return errors.New("values of chrek are expected")
	}
	c, err := chart.OpenFS(charts.FS(), "chrek")
	if err != nil {
		return err
	}
	release := fleet.Release{
		Key: fleet.Key{Namespace: "inference", Name: "chrek"}, Chart: "chrek",
		Overrides: overrides, Values: fleet.Effective(c.Defaults(), overrides),
	}
	in := check.Input{Set: &fleet.Set{Releases: []fleet.Release{release}}, Charts: map[string]*chart.Chart{"chrek": c}}
	if err := check.Values(in).Err(); err != nil {
		return err
	}
	_, err = c.Render(chart.Release{Name: "chrek", Namespace: "inference"}, overrides.PlainMap(), chart.OfflineCapabilities())
	return err
}

// documents are the valid files: for each chart its defaults with every key, and
// files that fill what is empty by default; and two fleet files.
func documents(t *testing.T) []document {
	t.Helper()
	platform := defaults(t, "platform")
	operator := defaults(t, "platform/components/operator")
	delete(operator, "global") // stands in the platform's values
	platform["dynamo-operator"] = merged(platform["dynamo-operator"], operator)
	values := func(name string, content map[string]any) document {
		return document{name: name, content: content, check: checkValues, free: freeKeys, foreign: foreignKeys}
	}
	chrek := func(name string, content map[string]any) document {
		return document{name: name, content: content, check: checkChrek, free: freeKeys}
	}
	fleetFile := func(name, content string) document {
		return document{name: name, content: parse(t, content), check: checkFleet,
			free: append([]string{"spec.chartMirrors"}, prefixed("spec.values.*.", freeKeys)...), foreign: prefixed("spec.values.*.", foreignKeys)}
	}
	return []document{
		values("platform, defaults", map[string]any{"platform": platform}),
		values("platform, filled", parse(t, filledPlatform)),
		values("platform, restricted", parse(t, restrictedPlatform)),
		chrek("chrek, defaults", map[string]any{"chrek": defaults(t, "chrek")}),
		chrek("chrek, filled", parse(t, filledChrek)),
		chrek("chrek, other names", parse(t, renamedChrek)),
		fleetFile("fleet, small", smallFleet),
		fleetFile("fleet, filled", filledFleet),
	}
}

// elsewhere has keys that are known at places where no document has them: a
// sub-chart's own globals.
func elsewhere(t *testing.T) document {
	return document{content: map[string]any{"platform": map[string]any{"dynamo-operator": defaults(t, "platform/components/operator")}}}
}

func defaults(t *testing.T, folder string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../charts", folder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// merged lays b over a.
func merged(a any, b map[string]any) map[string]any {
	out, _ := a.(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	for name, value := range b {
		if below, ok := value.(map[string]any); ok {
			value = merged(out[name], below)
		}
		out[name] = value
	}
	return out
}

func prefixed(prefix string, paths []string) []string {
	out := make([]string, len(paths))
	for i, path := range paths {
		out[i] = prefix + path
	}
	return out
}

// encode writes a document as a person would.
func encode(content map[string]any) ([]byte, error) { return yaml.Marshal(content) }

// firstLine shortens what a tool says.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
