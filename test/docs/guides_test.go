// Package docs checks what the documentation shows: a reader copies it.
package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// shown is as much as is needed of an Application, a HelmRelease or a fleet.
type shown struct {
	Kind string `json:"kind"`
	Spec struct {
		Source struct {
			Chart string `json:"chart"`
			Helm  struct {
				Values map[string]any `json:"valuesObject"`
			} `json:"helm"`
		} `json:"source"`
		ChartRef struct {
			Name string `json:"name"`
		} `json:"chartRef"`
		Values any `json:"values"`
	} `json:"spec"`
}

func TestExamplesInTheGuidesAreAccepted(t *testing.T) {
	guides, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	// TestTheMainTasks runs that page, whose files belong together.
	guides = slices.DeleteFunc(guides, func(guide string) bool { return strings.HasPrefix(filepath.Base(guide), "tasks.") })
	releases := 0
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range example.FindAllSubmatch(text, -1) {
			for _, document := range bytes.Split(block[1], []byte("\n---\n")) {
				if accept(t, filepath.Base(guide), document) {
					releases++
				}
			}
		}
	}
	if releases < 6 {
		t.Errorf("%d releases in the guides, want three for Argo CD and three for Flux", releases)
	}
}

// accept reports whether a document describes a release, after rendering it.
func accept(t *testing.T, guide string, document []byte) bool {
	t.Helper()
	var s shown
	if err := yaml.Unmarshal(document, &s); err != nil {
		t.Errorf("%s: %v in\n%s", guide, err, document)
		return false
	}
	switch s.Kind {
	case "Application":
		render(t, guide, s.Spec.Source.Chart, s.Spec.Source.Helm.Values)
	case "HelmRelease":
		values, _ := s.Spec.Values.(map[string]any)
		render(t, guide, s.Spec.ChartRef.Name, values)
	case "Fleet":
		file := filepath.Join(t.TempDir(), "fleet.yaml")
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
		source := rollout.Source{File: file, Files: fleet.Disk{}, Charts: charts.FS(), Profiles: charts.Profiles(), Dependencies: fixtureCharts{}}
		if _, err := rollout.Read(source); err != nil {
			t.Errorf("%s: %v", guide, err)
		}
		return false
	default:
		return false
	}
	return true
}

func render(t *testing.T, guide, name string, values map[string]any) {
	t.Helper()
	folder, known := map[string]string{"dynamo-conversion": "conversion", "dynamo-crds": "crds", "dynamo-platform": "platform", "chrek": "chrek"}[name]
	if !known {
		t.Errorf("%s: there is no chart %q", guide, name)
		return
	}
	c := withNATS(t, folder)
	if values == nil {
		values = map[string]any{}
	}
	if _, err := commonutil.ToRenderValues(c.Helm(), values, common.ReleaseOptions{}, chart.OfflineCapabilities()); err != nil {
		t.Errorf("%s: values of %s: %v", guide, name, err)
		return
	}
	if _, err := c.Render(chart.Release{Name: name, Namespace: "team-a"}, values, chart.OfflineCapabilities()); err != nil {
		t.Errorf("%s: %s: %v", guide, name, err)
	}
}

// withNATS is one of our charts, the platform with NATS, which is on by default.
func withNATS(t *testing.T, folder string) *chart.Chart {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Missing(c.Defaults().PlainMap()) {
		nats, err := fixtureCharts{}.Find(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = c.With([]*chart.Chart{nats}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// fixtureCharts stand in for third-party charts.
type fixtureCharts struct{}

func (fixtureCharts) Find(d chart.Dependency, _ signature.Policy) (*chart.Chart, error) {
	return chart.Open(filepath.Join("../thirdparty/charts", d.Name))
}
