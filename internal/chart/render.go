package chart

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// Capabilities is what templates may ask about the cluster.
type Capabilities = common.Capabilities

// OfflineCapabilities stand for a cluster of a Kubernetes version that all our
// charts support, without any third-party API. Helm's own default is the
// version of the client library that a binary happens to be built with.
func OfflineCapabilities() *Capabilities {
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = common.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}
	return caps
}

// CapabilitiesFor are OfflineCapabilities of a Kubernetes version, such as 1.31.
func CapabilitiesFor(version string) (*Capabilities, error) {
	caps := OfflineCapabilities()
	parsed, err := common.ParseKubeVersion(version)
	if err != nil {
		return nil, fmt.Errorf("%q is not a version of Kubernetes: write it as 1.31 or 1.31.4", version)
	}
	caps.KubeVersion = *parsed
	return caps, nil
}

// Release is what templates see of the release.
type Release struct {
	Name, Namespace string
	// Revision is the one that would be made; 0 is the first, of an install.
	Revision int
}

// Rendered is what a chart produces for one release.
type Rendered struct {
	// Manifest is the text that Helm stores and applies.
	Manifest string
	Objects  []Object
	// Hooks are objects that Helm runs apart from the manifest.
	Hooks []Object
	// Notes is what Helm prints after an install.
	Notes  string
	source *helmchart.Chart
	// Varying are the objects that are rendered with other content each time.
	Varying []Varying
	// hooks are the documents of the hooks, by template.
	hooks map[string][]string
}

// Render evaluates the chart's templates. Overrides are the values above the
// chart's defaults. Templates that use lookup find nothing, as under
// `helm template`.
func (c *Chart) Render(rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	return c.renderTwice(engine.Engine{}, rel, overrides, caps)
}

// RenderAnyway is Render without the chart's own refusals: `fail` and `required`
// in templates do nothing.
func (c *Chart) RenderAnyway(rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	return c.render(engine.Engine{LintMode: true}, rel, overrides, caps)
}

// renderTwice finds out what a chart that may be random makes anew each time.
func (c *Chart) renderTwice(with engine.Engine, rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	rendered, err := c.render(with, rel, overrides, caps)
	if err != nil || !c.traits().random {
		return rendered, err
	}
	again, err := c.render(with, rel, overrides, caps)
	if err != nil {
		return nil, err
	}
	rendered.Varying, err = varying(rendered, again)
	return rendered, err
}

func (c *Chart) render(with engine.Engine, rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	work := c.Helm()
	if err := checkKubeVersion(work.Metadata.KubeVersion, caps); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	if err := util.ProcessDependencies(work, overrides); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	if c.traits().asksKinds {
		var err error
		if caps, err = withKinds(caps, work); err != nil {
			return nil, fmt.Errorf("chart %s: %w", c, err)
		}
	}
	values, err := commonutil.ToRenderValuesWithSchemaValidation(work, overrides, common.ReleaseOptions{
		Name: rel.Name, Namespace: rel.Namespace, Revision: max(rel.Revision, 1), IsInstall: rel.Revision < 2, IsUpgrade: rel.Revision > 1,
	}, caps, true)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	// Nothing to cancel: what templates look up ends by itself.
	files, err := with.RenderWithContext(context.Background(), work, values)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, templateError(err))
	}
	notes := files[path.Join(c.Name(), "templates", "NOTES.txt")]
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	rendered, err := arrange(files)
	if err != nil {
		return nil, fmt.Errorf("chart %s renders what is not a Kubernetes object: %w", c, err)
	}
	rendered.Notes, rendered.source = notes, work
	return rendered, nil
}

func checkKubeVersion(wanted string, caps *Capabilities) error {
	if wanted != "" && !util.IsCompatibleRange(wanted, caps.KubeVersion.String()) {
		return fmt.Errorf("needs Kubernetes %s, the cluster has %s", wanted, caps.KubeVersion.Version)
	}
	return nil
}

var executionError = regexp.MustCompile(`(?s)^execution error at \(([^:)]*)[^)]*\): (.*)$`)

// refusal is what a chart's own `fail` or `required` says.
type refusal struct{ template, message string }

func (e *refusal) Error() string { return e.message }

// templateError shortens the engine's message for a chart's own `fail`.
func templateError(err error) error {
	if m := executionError.FindStringSubmatch(err.Error()); m != nil {
		return &refusal{template: m[1], message: m[2]}
	}
	return err
}
