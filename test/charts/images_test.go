package charts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// inventory is the page that lists every image that the charts use.
const inventory = "docs/images.md"

// A pulled image is one that a chart uses under some values.
type pulled struct {
	folder, values string
	// when says in words which values these are; keys change the image.
	when string
	keys []string
}

var pulledImages = []pulled{
	{folder: "platform", when: "always, unless `dynamo-operator.enabled=false`", keys: []string{
		"dynamo-operator.controllerManager.manager.image.repository", "dynamo-operator.controllerManager.manager.image.tag",
		"dynamo-operator.controllerManager.manager.image.digest", "global.imageRegistry",
	}},
	{folder: "platform", when: "by graphs with a debugger; the operator adds it", keys: []string{"dynamo-operator.dynamo.internalImages.debugger", "global.imageRegistry"}},
	{folder: "platform", when: "by requests that name no profiler; the operator runs it", keys: []string{"dynamo-operator.dynamo.internalImages.profiler", "global.imageRegistry"}},
	{folder: "platform", values: `dynamo-operator: {checkpoint: {enabled: true}}`, when: "by pods that start from checkpoints, with `dynamo-operator.checkpoint.enabled=true`; the operator adds it", keys: []string{
		"dynamo-operator.checkpoint.agentImage", "global.imageRegistry",
	}},
	{folder: "platform", values: `etcd: {enabled: true}`, when: "`etcd.enabled=true`", keys: []string{
		"etcd.image.registry", "etcd.image.repository", "etcd.image.tag", "etcd.image.digest", "global.imageRegistry",
	}},
	{folder: "platform/components/operator", when: "always", keys: []string{
		"controllerManager.manager.image.repository", "controllerManager.manager.image.tag", "controllerManager.manager.image.digest", "global.imageRegistry",
	}},
	{folder: "platform/components/operator", when: "by graphs with a debugger; the operator adds it", keys: []string{"dynamo.internalImages.debugger", "global.imageRegistry"}},
	{folder: "platform/components/operator", when: "by requests that name no profiler; the operator runs it", keys: []string{"dynamo.internalImages.profiler", "global.imageRegistry"}},
	{folder: "platform/components/operator", values: `checkpoint: {enabled: true}`, when: "by pods that start from checkpoints, with `checkpoint.enabled=true`; the operator adds it", keys: []string{"checkpoint.agentImage", "global.imageRegistry"}},
	{folder: "conversion", when: "always", keys: []string{"image.repository", "image.tag", "image.digest", "global.imageRegistry"}},
	{folder: "chrek", when: "always", keys: []string{"daemonset.image.repository", "daemonset.image.tag", "daemonset.image.digest", "global.imageRegistry"}},
}

// anotherImage has a value for each key, by how it ends.
var anotherImage = map[string]string{
	"registry": "other.example.com", "imageRegistry": "other.example.com", "repository": "other.example.com/image", "tag": "2.3.4",
	"digest": "sha256:" + strings.Repeat("a", 64), "debugger": "other.example.com/shell:1",
	"profiler": "other.example.com/profiler:1", "agentImage": "other.example.com/agent:1",
}

const inventoryHead = `# Images

Every image that our charts can use, by what turns it on, and the keys that change it. The table is rendered from the charts by
` + "`make golden`" + `; a test fails when it is stale, when a key that it names does not change its image, and when a mode renders an image
that is not in it. The chart dynamo-crds uses none. ` + "`wheelhouse images`" + ` lists what your own fleet uses, as text,
JSON, or a file for Hauler or Zarf; by digest with ` + "`--image-digests`" + `.

What counts as an image, in whatever a chart renders, its hooks included: the fields ` + "`image`" + ` and those whose names end so, as text or as
registry, repository, name and tag or digest; images that are mounted; environment variables and arguments whose names end with
` + "`IMAGE`" + ` and whose values have a tag or a digest; the same in files of a ConfigMap. Where the name is there and a part of the image is not,
because a program adds it, the bundle names the place instead.

| chart | image | when | keys that change it |
|---|---|---|---|
`

// What a third-party chart runs is decided by its package, which is not here.
const inventoryTail = `
The images of other third-party charts are their packages' own, as published with the versions that ` + "`Chart.yaml`" + ` pins; tests run
stand-ins for them. ` + "`helm template`" + ` and ` + "`wheelhouse bundle create`" + ` show what a package at hand uses.

| chart | image | when | keys that change it |
|---|---|---|---|
| nats 1.3.2 | ` + "`nats:2.11.1-binary-alpine`" + ` | always, unless ` + "`nats.enabled=false`" + ` | ` + "`nats.container.image.{registry,repository,tag}`, `global.image.registry`" + ` |
| nats 1.3.2 | ` + "`natsio/nats-server-config-reloader:0.17.1`" + ` | always, unless ` + "`nats.enabled=false`" + ` or ` + "`nats.reloader.enabled=false`" + ` | ` + "`nats.reloader.image.{registry,repository,tag}`, `global.image.registry`" + ` |
| nats 1.3.2 | ` + "`natsio/nats-box:0.17.0`" + ` | ` + "`nats.natsBox.enabled=true`" + ` | ` + "`nats.natsBox.container.image.{registry,repository,tag}`, `global.image.registry`" + ` |
| kai-scheduler v0.9.4 | one for each of its parts, of the chart's version | ` + "`kai-scheduler.enabled=true`" + ` | ` + "`kai-scheduler.global.registry`" + `; ` + "`kai-scheduler.global.tag`" + ` has no effect in v0.9.4 |
| grove-charts v0.1.0-alpha.6 | Grove's operator, and the init container that it adds | ` + "`grove.enabled=true`" + ` | ` + "`grove.image.repository`, `grove.image.tag`, `grove.deployment.env`" + ` |
`

// image is the one that its values bring: that of a container, or of the operator's
// configuration.
func (p pulled) image(t *testing.T, values map[string]any) string {
	t.Helper()
	if p.folder == "platform" {
		set(values, "nats.enabled", false) // its image is its package's own, and in the other table
	}
	rendered := p.render(t, values)
	switch {
	case strings.Contains(p.when, "debugger"):
		return operatorConfig(t, rendered).Components.DebuggerImage
	case strings.Contains(p.when, "profiler"):
		return operatorConfig(t, rendered).Profiling.ProfilerImage
	case strings.Contains(p.when, "checkpoints"):
		return operatorConfig(t, rendered).Checkpoint.AgentImage
	}
	images, err := rendered.Images()
	if err != nil {
		t.Fatal(err)
	}
	if p.values != "" {
		// The part's own objects alone, whose name the condition begins with.
		part, _, _ := strings.Cut(p.values, ":")
		images = imagesBelow(t, rendered, "/charts/"+part+"/")
	}
	if strings.HasPrefix(p.folder, "platform") && p.values == "" {
		cfg := operatorConfig(t, rendered)
		images = slices.DeleteFunc(images, func(image string) bool {
			return image == cfg.Components.DebuggerImage || image == cfg.Profiling.ProfilerImage
		})
	}
	if len(images) != 1 {
		t.Fatalf("%s, %s: images %v, want one", p.folder, p.when, images)
	}
	return images[0]
}

func (p pulled) render(t *testing.T, values map[string]any) *chart.Rendered {
	t.Helper()
	c := complete(t)
	if p.folder != "platform" {
		var err error
		if c, err = chart.OpenFS(charts.FS(), p.folder); err != nil {
			t.Fatal(err)
		}
	}
	rendered, err := c.Render(chart.Release{Name: "dynamo", Namespace: "inference"}, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatalf("%s with %v: %v", p.folder, values, err)
	}
	return rendered
}

// imagesBelow lists the images of the objects from one folder of templates.
func imagesBelow(t *testing.T, rendered *chart.Rendered, folder string) []string {
	t.Helper()
	part := *rendered
	part.Objects = slices.DeleteFunc(slices.Clone(rendered.Objects), func(o chart.Object) bool { return !strings.Contains(o.Template, folder) })
	images, err := part.Images()
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// TestGoldenImages: the page is what the charts render, and its keys work.
func TestGoldenImages(t *testing.T) {
	var page strings.Builder
	page.WriteString(inventoryHead)
	for _, p := range pulledImages {
		image := p.image(t, parseYAML(t, p.values))
		for _, key := range p.keys {
			value := anotherImage[key[strings.LastIndex(key, ".")+1:]]
			values := parseYAML(t, p.values)
			set(values, key, value)
			if changed := p.image(t, values); changed == image || !strings.Contains(changed, value) {
				t.Errorf("%s: %s=%s makes %s of %s", p.folder, key, value, changed, image)
			}
		}
		name := strings.ReplaceAll("dynamo-"+filepath.Base(p.folder), "dynamo-chrek", "chrek")
		fmt.Fprintf(&page, "| %s | `%s` | %s | `%s` |\n", name, image, p.when, strings.Join(p.keys, "`, `"))
	}
	page.WriteString(inventoryTail)
	file := filepath.Join(repositoryRoot, inventory)
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readFile(t, file), page.String()); diff != "" {
		t.Errorf("%s is stale: run `make golden` (-there +rendered):\n%s", inventory, diff)
	}
}

// isListed: the inventory has every image that a mode renders.
func isListed(t *testing.T, rendered *chart.Rendered, page, mode string) {
	t.Helper()
	images, err := withoutStandIns(rendered).Images()
	if err != nil {
		t.Fatal(err)
	}
	standIns := imagesBelow(t, rendered, "/charts/nats/")
	for _, image := range images {
		if !strings.Contains(page, "`"+image+"`") && !slices.Contains(standIns, image) {
			t.Errorf("%s: %s is not in %s", mode, image, inventory)
		}
	}
}
