package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
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
}

// Rendered is what a chart produces for one release.
type Rendered struct {
	// Manifest is the text that Helm stores and applies.
	Manifest string
	Objects  []Object
	// Hooks counts objects that Helm runs apart from the manifest.
	Hooks int
	// Notes is what Helm prints after an install.
	Notes  string
	source *helmchart.Chart
}

// Object is one Kubernetes object of a manifest.
type Object struct {
	APIVersion string
	Kind       string
	// Namespace is empty where the object does not name one.
	Namespace   string
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	// Content is the object's YAML.
	Content string
	// Template is the file that rendered the object; empty for a stored one.
	Template string
	// converted is the content as JSON; nil if it has not been kept.
	converted *conversion
}

// conversion is made once, because nothing of a check costs more.
type conversion struct {
	content string
	json    func() ([]byte, error)
}

func newConversion(content string) *conversion {
	return &conversion{content, sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSONStrict([]byte(content)) })}
}

// JSON is the object's content. A key that is there twice is an error.
func (o Object) JSON() ([]byte, error) {
	if o.converted == nil || o.converted.content != o.Content {
		return yaml.YAMLToJSONStrict([]byte(o.Content))
	}
	return o.converted.json()
}

// Kept reports whether the object outlives its release.
func (o Object) Kept() bool { return o.Annotations["helm.sh/resource-policy"] == "keep" }

// Group is the API group, empty for the core group.
func (o Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + "/" + o.Name
	}
	return o.Kind + "/" + o.Namespace + "/" + o.Name
}

// Render evaluates the chart's templates. Overrides are the values above the
// chart's defaults. Templates that use lookup find nothing, as under
// `helm template`.
func (c *Chart) Render(rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	return c.render(engine.Engine{}, rel, overrides, caps)
}

// RenderAnyway is Render without the chart's own refusals: `fail` and `required`
// in templates do nothing.
func (c *Chart) RenderAnyway(rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	return c.render(engine.Engine{LintMode: true}, rel, overrides, caps)
}

func (c *Chart) render(with engine.Engine, rel Release, overrides map[string]any, caps *Capabilities) (*Rendered, error) {
	work := c.Helm()
	if err := checkKubeVersion(work.Metadata.KubeVersion, caps); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	if err := util.ProcessDependencies(work, overrides); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	values, err := commonutil.ToRenderValuesWithSchemaValidation(work, overrides, common.ReleaseOptions{
		Name: rel.Name, Namespace: rel.Namespace, Revision: 1, IsInstall: true,
	}, caps, true)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	// Nothing to cancel: rendering does no I/O.
	files, err := with.RenderWithContext(context.Background(), work, values)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %s", c, templateMessage(err))
	}
	notes := files[path.Join(c.Name(), "templates", "NOTES.txt")]
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	rendered, err := sorted(c, files)
	if err != nil {
		return nil, err
	}
	rendered.Notes, rendered.source = notes, work
	return rendered, nil
}

func sorted(c *Chart, files map[string]string) (*Rendered, error) {
	objects, hooks, err := inOrder(files)
	if err != nil {
		return nil, fmt.Errorf("chart %s renders what is not a Kubernetes object: %w", c, err)
	}
	var text strings.Builder
	for _, o := range objects {
		writeObject(&text, o.Template, o.Content)
	}
	return &Rendered{Manifest: text.String(), Objects: objects, Hooks: hooks}, nil
}

// ParseManifest splits a stored manifest into its objects.
func ParseManifest(manifest string) ([]Object, error) {
	objects, _, err := inOrder(map[string]string{"": manifest})
	for i := range objects {
		objects[i].Template = ""
	}
	return objects, err
}

// inOrder lists the objects of rendered files in the order in which Helm
// installs them, and counts hooks. Helm's own function for this parses every
// object as a whole, twice; the order needs no more than their heads.
func inOrder(files map[string]string) (objects []Object, hooks int, err error) {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(path.Base(file), "_") {
			continue
		}
		documents := releaseutil.SplitManifests(files[file])
		keys := slices.Collect(maps.Keys(documents))
		sort.Sort(releaseutil.BySplitManifestsOrder(keys))
		for _, key := range keys {
			object, err := parseObject(documents[key])
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", file, err)
			}
			if object.Annotations[release.HookAnnotation] != "" {
				hooks++
				continue
			}
			object.Template = file
			objects = append(objects, object)
		}
	}
	slices.SortStableFunc(objects, func(a, b Object) int {
		x, y := installRank(a.Kind), installRank(b.Kind)
		if x == len(releaseutil.InstallOrder) && y == x {
			return strings.Compare(a.Kind, b.Kind)
		}
		return x - y
	})
	return objects, hooks, nil
}

// installRank is the place of a kind in Helm's order; kinds that Helm does not
// know come last.
func installRank(kind string) int {
	if i := slices.Index(releaseutil.InstallOrder, kind); i >= 0 {
		return i
	}
	return len(releaseutil.InstallOrder)
}

func parseObject(content string) (Object, error) {
	converted := newConversion(content)
	h, err := parseHead(converted)
	if err != nil {
		return Object{}, err
	}
	return Object{
		APIVersion: h.APIVersion, Kind: h.Kind,
		Namespace: h.Metadata.Namespace, Name: h.Metadata.Name,
		Labels: h.Metadata.Labels, Annotations: h.Metadata.Annotations,
		Content: content, converted: converted,
	}, nil
}

// head is what every object has.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// parseHead reads the YAML as a whole, once, unless it is large or not strictly
// right: then it is for others to say so.
func parseHead(c *conversion) (head, error) {
	if len(c.content) < largeObject {
		var h head
		if data, err := c.json(); err == nil && json.Unmarshal(data, &h) == nil {
			return h, nil
		}
	}
	var h head
	err := yaml.Unmarshal(headOf(c.content), &h)
	return h, err
}

// largeObject is about where CRDs begin. Most commands never read them whole.
const largeObject = 64 << 10

// headOf keeps the top-level fields apiVersion, kind and metadata, because
// parsing the rest of a large object costs more than everything else here.
func headOf(content string) []byte {
	if !blockStyle(content) {
		return []byte(content)
	}
	var head strings.Builder
	keep := false
	for line := range strings.Lines(content) {
		if line[0] != ' ' && line[0] != '\n' && line[0] != '#' && line[0] != '-' {
			keep = strings.HasPrefix(line, "apiVersion:") || strings.HasPrefix(line, "kind:") || strings.HasPrefix(line, "metadata:")
		}
		if keep {
			head.WriteString(line)
		}
	}
	return []byte(head.String())
}

// blockStyle reports whether top-level fields start their own lines.
func blockStyle(content string) bool {
	return strings.HasPrefix(content, "apiVersion:") || strings.Contains(content, "\napiVersion:")
}

func checkKubeVersion(wanted string, caps *Capabilities) error {
	if wanted != "" && !util.IsCompatibleRange(wanted, caps.KubeVersion.String()) {
		return fmt.Errorf("needs Kubernetes %s, the cluster has %s", wanted, caps.KubeVersion.Version)
	}
	return nil
}

var executionError = regexp.MustCompile(`(?s)^execution error at \(([^)]*)\): (.*)$`)

// templateMessage shortens the engine's message for a chart's own `fail`.
func templateMessage(err error) string {
	if m := executionError.FindStringSubmatch(err.Error()); m != nil {
		return m[2]
	}
	return err.Error()
}
